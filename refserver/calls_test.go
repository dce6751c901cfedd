package refserver_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
)

// TestMessages: what is written by POST is read by GET_CID, byte for byte.
func TestMessages(t *testing.T) {
	signer := tenantKey(t)
	url := listen(t, openNode(t), refserver.ServerOptions{})
	client := clientOf(t, url, signer.DID(), signer, nil)
	e := withData(t, generated(t, 30))
	record := refserver.NewRecord(signer.DID(), e.Message, nil)
	withoutData, withIt := record, refserver.NewRecord(signer.DID(), e.Message, e.Data)
	for i, c := range []struct {
		record  refserver.Record
		outcome string
	}{{withoutData, "accepted"}, {withoutData, "duplicate"}, {withIt, "data added"}, {withIt, "duplicate"}} {
		w, err := client.PostMessage(t.Context(), c.record)
		if err != nil || w.Outcome != c.outcome || w.CID != e.Message.CID().String() {
			t.Errorf("write %d: %+v, %v, want %s", i, w, err, c.outcome)
		}
	}
	got, err := client.Message(t.Context(), e.Message.CID().String())
	if err != nil {
		t.Fatal(err)
	}
	m, err := dwn.ParseJSON(got.Message)
	if err != nil || m.ID() != e.Message.ID() {
		t.Errorf("%s, %v", got.Message, err)
	}
	if data, err := base64.StdEncoding.DecodeString(*got.Data); err != nil || !bytes.Equal(data, e.Data) {
		t.Errorf("%d bytes of data, %v", len(data), err)
	}
}

// TestData: record data is put and got by CID, and what does not hash to it leaves
// nothing behind.
func TestData(t *testing.T) {
	signer := tenantKey(t)
	node := openNode(t)
	url := listen(t, node, refserver.ServerOptions{})
	e := withData(t, generated(t, 30))
	data := e.Data
	e.Data = nil
	client := clientOf(t, url, signer.DID(), signer, nil)
	if _, err := client.PostMessage(t.Context(), refserver.NewRecord(signer.DID(), e.Message, nil)); err != nil {
		t.Fatal(err)
	}
	c, _ := e.Message.Data()
	path := "/v1/data/" + c.CID.String()
	if status, p := request(t, signer, "PUT", url, path, []byte("other bytes"), nil); status != 422 || p.Code != "data-mismatch" {
		t.Errorf("other bytes: %d %+v", status, p)
	}
	if status, _ := request(t, signer, "GET", url, path, nil, nil); status != 404 {
		t.Errorf("after other bytes: %d", status)
	}
	for range 2 {
		if status, p := request(t, signer, "PUT", url, path, data, nil); status != 204 {
			t.Errorf("PUT: %d %+v", status, p)
		}
	}
	if status, p := request(t, signer, "GET", url, path, nil, nil); status != 200 {
		t.Errorf("GET: %d %+v", status, p)
	}
	checkData(t, node.Store.Tenant(signer.DID()), e, data)
}

// TestInfo: the members are those of SPEC.md §10, the limits those of §9.
func TestInfo(t *testing.T) {
	url := listen(t, openNode(t), refserver.ServerOptions{Version: "v0"})
	resp, err := http.Get(url + "/v1/info")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	strategies, err := json.Marshal(engine.Strategies())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"server":"dwnsync","version":"v0","wire":1,"strategies":` + string(strategies) +
		`,"maxMessage":1048576,"maxInline":30000,"maxReply":67108864,"maxRequest":33554432}` + "\n"
	if string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
}
