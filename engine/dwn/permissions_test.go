package dwn

import "testing"

func TestParentID(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a child", `{"recordId":"r","descriptor":{"interface":"Records","method":"Write","parentId":"p",`, "p"},
		{"a root", `{"recordId":"r","descriptor":{"interface":"Records","method":"Write",`, ""},
		{"beside the descriptor", `{"parentId":"p","descriptor":{"interface":"Records","method":"Write",`, ""},
		{"no text", `{"recordId":"r","descriptor":{"interface":"Records","method":"Write","parentId":7,`, ""},
		{"a delete", `{"descriptor":{"interface":"Records","method":"Delete","recordId":"r","parentId":"p",`, ""},
	}
	for _, test := range tests {
		m, err := ParseJSON([]byte(test.text + `"messageTimestamp":"2025-01-01T00:00:00.000000Z"}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.ParentID(); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestIsPermissions(t *testing.T) {
	tests := map[string]bool{
		"https://tbd.website/dwn/permissions": true, "https://identity.foundation/dwn/permissions": true,
		"http://tbd.website/dwn/permissions": false, "https://tbd.website/dwn/permissions/grant": false,
		"https://example.org/dwn/permissions": false, "": false,
	}
	for protocol, want := range tests {
		if got := IsPermissions(protocol); got != want {
			t.Errorf("%q: got %v, want %v", protocol, got, want)
		}
	}
}
