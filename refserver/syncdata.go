package refserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// syncData moves record data above the inline limit: what this node wants, if it
// pulls, and what the server wants and this node has, if it pushes.
func (c *Client) syncData(ctx context.Context, tenant store.Tenant, opt SyncOptions, result *SyncResult) error {
	if opt.Direction.Pulls() {
		if err := c.fetchData(ctx, tenant, opt.Scope, result); err != nil {
			return err
		}
	}
	if opt.Direction.Pushes() {
		return c.sendData(ctx, tenant, opt.Scope, result)
	}
	return nil
}

// inScope returns those of ids that a message in scope names as data above the
// inline limit. It reads the messages only if there is something to ask of them.
func inScope(ctx context.Context, tenant store.Tenant, scope dwn.Scope, ids []cid.Cid) ([]cid.Cid, error) {
	if scope.All() || len(ids) == 0 {
		return ids, nil
	}
	keys, _, err := tenant.Keys(ctx, scope)
	if err != nil {
		return nil, err
	}
	named := map[cid.Cid]bool{}
	for e, err := range tenant.Get(ctx, idsOf(keys)) {
		if err != nil {
			return nil, err
		}
		if d, ok := e.Message.Data(); ok && d.Size > dwn.MaxInlineData {
			named[d.CID] = true
		}
	}
	return slices.DeleteFunc(ids, func(c cid.Cid) bool { return !named[c] }), nil
}

func (c *Client) fetchData(ctx context.Context, tenant store.Tenant, scope dwn.Scope, result *SyncResult) error {
	var wanted []cid.Cid
	for w, err := range tenant.WantedData(ctx) {
		if err != nil {
			return err
		}
		wanted = append(wanted, w.CID)
	}
	wanted, err := inScope(ctx, tenant, scope, wanted)
	if err != nil {
		return err
	}
	for _, w := range wanted {
		n, err := c.GetData(ctx, tenant, w)
		if overQuota(err) {
			result.DataRefused++
			continue
		}
		if single(err) {
			result.DataMissing++
			continue
		}
		if err != nil {
			return err
		}
		result.DataReceived++
		result.DataBytesDown += n
	}
	return nil
}

// single reports whether an error concerns one datum, so that the others are still
// worth a try.
func single(err error) bool {
	var p *Problem
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDataMismatch) ||
		errors.As(err, &p) && (p.Status == http.StatusNotFound || p.Status == http.StatusUnprocessableEntity)
}

// sendData sends what the server wants and this node holds, each once.
func (c *Client) sendData(ctx context.Context, tenant store.Tenant, scope dwn.Scope, result *SyncResult) error {
	var wanted []WantedData
	if err := c.callJSON(ctx, http.MethodGet, "/v1/data", nil, &wanted); err != nil {
		return err
	}
	var ids []cid.Cid
	seen := map[cid.Cid]bool{}
	for _, w := range wanted {
		id, err := parseCID(w.CID)
		if err != nil {
			return fmt.Errorf("%w: GET /v1/data: %w", ErrServer, err)
		}
		if !seen[id] {
			seen[id], ids = true, append(ids, id)
		}
	}
	ids, err := inScope(ctx, tenant, scope, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		n, err := c.PutData(ctx, tenant, id)
		if overQuota(err) {
			result.DataRefused++
			continue
		}
		if single(err) {
			continue
		}
		if err != nil {
			return err
		}
		result.DataSent++
		result.DataBytesUp += n
	}
	return nil
}

// GetData fetches the record data that id names into tenant's store, which
// verifies it. It returns the number of bytes that came.
func (c *Client) GetData(ctx context.Context, tenant store.Tenant, id cid.Cid) (int64, error) {
	resp, err := c.call(ctx, http.MethodGet, "/v1/data/"+id.String(), upload{digest: auth.DigestOf(nil)})
	if err != nil {
		return 0, err
	}
	defer resp.Close()
	body := &countingReader{r: resp}
	err = tenant.PutData(ctx, id, body)
	return body.n, err
}

// PutData sends the record data that id names from tenant's store, reading it
// twice, and a third time where the server asks for its nonce: the token is bound to a
// hash of the body. It returns the number of
// bytes, or store.ErrNotFound where the data is not held here.
func (c *Client) PutData(ctx context.Context, tenant store.Tenant, id cid.Cid) (int64, error) {
	body, err := uploadData(ctx, tenant, id)
	if err != nil {
		return 0, err
	}
	resp, err := c.call(ctx, http.MethodPut, "/v1/data/"+id.String(), body)
	if err != nil {
		return 0, err
	}
	return body.size, resp.Close()
}

func uploadData(ctx context.Context, tenant store.Tenant, id cid.Cid) (upload, error) {
	open := func() (io.ReadCloser, error) {
		data, _, err := tenant.OpenData(ctx, id)
		return data, err
	}
	data, err := open()
	if err != nil {
		return upload{}, err
	}
	defer data.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, data)
	return upload{open, size, auth.Digest(hash.Sum(nil))}, err
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
