package refserver

import "io"

// SetRandom makes what the server draws for its answers repeatable.
func (s *Server) SetRandom(r io.Reader) { s.random = r }
