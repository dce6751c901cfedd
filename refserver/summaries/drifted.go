package summaries

import "github.com/dwn-sync/dwnsync/engine/summary"

// Drifted returns ErrDrift where it can be told without reading anything: every message that
// was ever accepted is a member of the view of everything, so that has as many as the log has
// positions. A log that has a message twice, which is damaged, makes right ones look wrong.
func (v *View) Drifted() error {
	if v.kept.scope.All() && v.Root.Count != v.Position {
		return &DriftError{Scope: v.kept.scope, Part: summary.PartRoot}
	}
	return nil
}
