package refserver

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"net/http"
	"strconv"

	"github.com/ipfs/go-cid"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

var errInline = fmt.Errorf("data above %d bytes does not travel with its message: send it with PUT /v1/data/{cid}", dwn.MaxInlineData)

// WantedData names record data that a node's messages name and that it lacks.
type WantedData struct {
	CID  string `json:"cid"`
	Size int64  `json:"size"` // bytes, as the message says
}

// maxWanted bounds the answer to GET /v1/data, which is then some 8 MB.
const maxWanted = 100_000

// wantedData tells which record data this node would take by PUT.
func (s *Server) wantedData(w http.ResponseWriter, r *http.Request) error {
	claims, err := s.authorize(r)
	if err != nil {
		return err
	}
	may, err := s.decideByCID(r.Context(), claims.Claims, auth.Push)
	if err != nil {
		return err
	}
	var wanted []WantedData
	if may == nil {
		wanted, err = listed(s.node.Store.Tenant(claims.Tenant).WantedData(r.Context()))
	} else { // it reads what names the data that is asked for
		err = s.placed(claims.Tenant, func() (err error) {
			wanted, err = listed(may.wantedData(r.Context()))
			return err
		})
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, wanted)
}

// listed returns the first maxWanted of what is missing, never nil.
func listed(missing iter.Seq2[store.Wanted, error]) ([]WantedData, error) {
	wanted := []WantedData{}
	for d, err := range missing {
		if err != nil {
			return nil, err
		}
		if wanted = append(wanted, WantedData{d.CID.String(), d.Size}); len(wanted) == maxWanted {
			break
		}
	}
	return wanted, nil
}

// placed calls look, which reads for a grantee what it may not read as well, in a place of its tenant's.
func (s *Server) placed(tenant string, look func() error) error {
	if !s.lookups.take(tenant, true) {
		return errBusy
	}
	defer s.lookups.leave(tenant, true)
	return look()
}

// authorizeData is authorize for a call about the data that its URL names.
func (s *Server) authorizeData(r *http.Request) (auth.RequestClaims, cid.Cid, error) {
	claims, err := s.authorize(r)
	if err != nil {
		return claims, cid.Undef, err
	}
	c, err := parseCID(r.PathValue("cid"))
	return claims, c, err
}

// getData streams record data of any size.
func (s *Server) getData(w http.ResponseWriter, r *http.Request) error {
	claims, c, err := s.authorizeData(r)
	if err != nil {
		return err
	}
	may, err := s.decideByCID(r.Context(), claims.Claims, auth.Pull)
	if err == nil && may != nil {
		err = s.placed(claims.Tenant, func() error { return may.readsData(r.Context(), c) })
	}
	if err != nil {
		return err
	}
	data, size, err := s.node.Store.Tenant(claims.Tenant).OpenData(r.Context(), c)
	if err != nil {
		return err
	}
	defer data.Close()
	from := io.Reader(data)
	if may != nil {
		if err := may.check(r.Context()); err != nil { // in words, as long as there is no status yet
			return err
		}
		from = may.reader(r.Context(), data)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	if _, err := io.Copy(newPatientWriter(w), from); err != nil {
		s.log.Warn("data broke off", "error", err) // the client sees fewer bytes than were announced
		panic(http.ErrAbortHandler)
	}
	return nil
}

// putData stores record data of any size that a stored message names. Nothing of
// it is visible before all of it is verified.
func (s *Server) putData(w http.ResponseWriter, r *http.Request) error {
	claims, c, err := s.authorizeData(r)
	if err != nil {
		return err
	}
	leave, err := s.writes.enter(claims.Claims)
	if err != nil {
		return err
	}
	defer leave()
	may, err := s.decideByCID(r.Context(), claims.Claims, auth.Push)
	if err != nil {
		return err
	}
	body := &signedReader{r: newPatientReader(w, r.Body), hash: sha256.New(), want: claims.Body}
	if may != nil {
		err = may.putData(r.Context(), c, body)
	} else {
		err = s.node.Store.Tenant(claims.Tenant).PutData(r.Context(), c, body)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// signedReader fails at its end if its bytes are not those the token was signed for.
type signedReader struct {
	r    io.Reader
	hash hash.Hash
	want auth.Digest
}

func (s *signedReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.hash.Write(p[:n])
	if errors.Is(err, io.EOF) && !auth.Digest(s.hash.Sum(nil)).Equal(s.want) {
		return n, fmt.Errorf("%w: the body", errHash)
	}
	return n, err
}
