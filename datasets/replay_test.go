package datasets_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// node is a slow and obvious model of what a reference node admits and retains.
type node struct {
	t        *testing.T
	records  map[string]*nodeRecord
	retained map[dwn.ID]bool
	kinds    map[string]int
}

type nodeRecord struct {
	initial, latest *dwn.Message
	parent          string
	deleted         bool
	messages        []*dwn.Message
}

func TestGenerateReplays(t *testing.T) {
	kinds := map[string]int{}
	for name, opt := range mixes() {
		t.Run(name, func(t *testing.T) {
			n := &node{t, map[string]*nodeRecord{}, map[dwn.ID]bool{}, kinds}
			all := generate(t, opt)
			for i, m := range all {
				n.admit(i, m)
			}
			for i, m := range all {
				if m.Retained != n.retained[m.Message.ID()] {
					t.Fatalf("message %d (%s): retained %t, the model says %t", i, m.Message.Method(), m.Retained, !m.Retained)
				}
			}
		})
	}
	for _, kind := range []string{
		"initial", "initial page", "initial page/attachment", "initial page/comment", "initial page/comment/reply",
		"update", "update without data", "delete", "prune", "purged", "recipient", "tags", "published", "schema", "no schema",
	} {
		if kinds[kind] < 10 {
			t.Errorf("%d messages of kind %q, want 10 at least", kinds[kind], kind)
		}
	}
}

// admit fails the test unless the model would admit message i.
func (n *node) admit(i int, m datasets.Message) {
	n.t.Helper()
	n.retained[m.Message.ID()] = true
	switch configured := m.Message.Method() == "Configure"; {
	case configured != (i == 0):
		n.t.Fatalf("message %d is a %s%s", i, m.Message.Interface(), m.Message.Method())
	case configured:
	case m.Message.Method() == "Delete":
		n.delete(m.Message)
	case m.Message.IsInitialWrite():
		n.begin(m)
	default:
		n.update(m)
	}
}

// live returns the record of m, which must be neither unknown nor deleted.
func (n *node) live(id string) *nodeRecord {
	n.t.Helper()
	r := n.records[id]
	if r == nil || r.deleted {
		n.t.Fatalf("record %s: known %t, but not alive", id, r != nil)
	}
	return r
}

func (n *node) begin(m datasets.Message) {
	n.t.Helper()
	d, a := descriptor(n.t, m.Message), m.Message.Attributes()
	parent, _ := d["parentId"].(string)
	context := ""
	if a.Protocol != "" {
		context = m.Message.RecordID()
	}
	depth := strings.Count(a.ProtocolPath, "/")
	if (depth > 0) != (parent != "") {
		n.t.Fatalf("parent %q at path %q", parent, a.ProtocolPath)
	}
	if parent != "" {
		p := n.live(parent)
		context = p.initial.ContextID() + "/" + context
		if at := p.initial.Attributes().ProtocolPath; at != a.ProtocolPath[:strings.LastIndex(a.ProtocolPath, "/")] {
			n.t.Fatalf("parent at %q of a record at %q", at, a.ProtocolPath)
		}
	}
	if got := m.Message.ContextID(); got != context {
		n.t.Fatalf("context %q, want %q", got, context)
	}
	if d["dateCreated"] != d["messageTimestamp"] || n.records[m.Message.RecordID()] != nil {
		n.t.Fatalf("initial write of %v created at %v, known %t", d["messageTimestamp"], d["dateCreated"], n.records[m.Message.RecordID()] != nil)
	}
	n.records[m.Message.RecordID()] = &nodeRecord{m.Message, m.Message, parent, false, []*dwn.Message{m.Message}}
	n.count(strings.TrimSpace("initial "+a.ProtocolPath), d)
}

// count notes what there was.
func (n *node) count(kind string, d map[string]any) {
	n.kinds[kind]++
	for _, name := range []string{"recipient", "tags", "published"} {
		if d[name] != nil {
			n.kinds[name]++
		}
	}
	if d["schema"] != nil {
		n.kinds["schema"]++
	} else {
		n.kinds["no schema"]++
	}
}

func (n *node) update(m datasets.Message) {
	n.t.Helper()
	r := n.live(m.Message.RecordID())
	was, is := descriptor(n.t, r.latest), descriptor(n.t, m.Message)
	kind := "update"
	if m.Data == nil {
		kind += " without data"
		if was["dataCid"] != is["dataCid"] || was["dataSize"] != is["dataSize"] {
			n.t.Fatal("an update without data names other data")
		}
	}
	for _, d := range []map[string]any{was, is} { // what an update may change
		for _, name := range []string{"messageTimestamp", "tags", "dataCid", "dataSize"} {
			delete(d, name)
		}
	}
	if !reflect.DeepEqual(was, is) || m.Message.ContextID() != r.initial.ContextID() {
		n.t.Fatalf("an update changes %v to %v", was, is)
	}
	n.give(r)
	r.latest = m.Message
	r.messages = append(r.messages, m.Message)
	n.count(kind, descriptor(n.t, m.Message))
}

// give gives up the latest write of a record, unless that is the initial one.
func (n *node) give(r *nodeRecord) {
	if r.latest != r.initial {
		delete(n.retained, r.latest.ID())
	}
}

func (n *node) delete(m *dwn.Message) {
	n.t.Helper()
	id := m.RecordID()
	r := n.live(id)
	n.give(r)
	r.deleted = true
	r.messages = append(r.messages, m)
	if descriptor(n.t, m)["prune"] == true {
		n.kinds["prune"]++
		n.purge(id)
		return
	}
	n.kinds["delete"]++
	for _, child := range n.records {
		if child.parent == id && !child.deleted {
			n.t.Fatalf("the delete of %s leaves a child alive", id)
		}
	}
}

// purge forgets the descendants of a record.
func (n *node) purge(id string) {
	for childID, child := range n.records {
		if child.parent != id {
			continue
		}
		child.deleted = true
		for _, m := range child.messages {
			n.kinds["purged"]++
			delete(n.retained, m.ID())
		}
		n.purge(childID)
	}
}

func descriptor(t *testing.T, m *dwn.Message) map[string]any {
	t.Helper()
	var body struct{ Descriptor map[string]any }
	if err := json.Unmarshal(m.AppendJSON(nil), &body); err != nil {
		t.Fatal(err)
	}
	return body.Descriptor
}
