package auth

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// Place returns the scope of everything in the place that the grant is for,
// whatever the grant allows there. It returns dwn.ErrScope if there is no such scope;
// of a grant that ParseGrant returned there is.
func (g Grant) Place() (dwn.Scope, error) {
	text, err := json.Marshal(struct {
		Protocol     string `json:"protocol,omitempty"`
		ProtocolPath string `json:"protocolPath,omitempty"`
		ContextID    string `json:"contextId,omitempty"`
	}{g.Protocol, g.ProtocolPath, g.ContextID})
	if err != nil {
		return dwn.Scope{}, err
	}
	return dwn.ParseScope(text)
}

// readScope reads the scope in the record data of a grant.
func (g *Grant) readScope(text json.RawMessage) error {
	obj, err := parseObject(text)
	if err != nil {
		return fmt.Errorf("scope: %w", err)
	}
	errs := [7]error{obj.only("interface", "method", "protocol", "contextId", "protocolPath")}
	g.Interface, errs[1] = obj.must("interface")
	g.Method, errs[2] = obj.must("method")
	g.Protocol, errs[3] = obj.some("protocol")
	g.ContextID, errs[4] = obj.some("contextId")
	g.ProtocolPath, errs[5] = obj.some("protocolPath")
	if errs[6] = cmp.Or(errs[:6]...); errs[6] == nil {
		errs[6] = g.checkScope()
	}
	if errs[6] != nil {
		return fmt.Errorf("scope: %w", errs[6])
	}
	return nil
}

// methods returns what grants may allow of an interface.
func methods(name string) []string {
	switch name {
	case "Records":
		return []string{"Read", "Write", "Query", "Subscribe", "Delete"}
	case "Messages":
		return []string{"Query", "Read", "Subscribe"}
	case "Protocols":
		return []string{"Configure", "Query"}
	}
	return nil
}

// allMethods returns what grants may allow, as "Interface.Method".
func allMethods() (all []string) {
	for _, name := range []string{"Messages", "Records", "Protocols"} {
		for _, method := range methods(name) {
			all = append(all, name+"."+method)
		}
	}
	return all
}

// checkScope checks which members go together, and that they make a scope.
func (g *Grant) checkScope() error {
	inside := g.ContextID != "" || g.ProtocolPath != ""
	switch {
	case !slices.Contains(methods(g.Interface), g.Method):
		return fmt.Errorf("unknown interface, or a method that it does not have; there are %s", strings.Join(allMethods(), ", "))
	case g.Interface == "Records" && g.Protocol == "":
		return errors.New("a grant for Records has to name a protocol")
	case inside && g.Protocol == "":
		return errors.New("contextId and protocolPath are within a protocol, and none is named")
	case g.ContextID != "" && g.ProtocolPath != "":
		return errors.New("contextId and protocolPath exclude each other")
	case inside && g.Interface != "Records" && !g.is("Messages", "Read"):
		return errors.New("contextId and protocolPath belong to Records and Messages.Read")
	}
	if normal, err := dwn.NormalizeURL(g.Protocol); g.Protocol != "" && (err != nil || normal != g.Protocol) {
		return errors.New("protocol is not a normalised URL")
	}
	_, err := g.Place()
	return err
}
