package refserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"

	"github.com/ipfs/go-cid"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// syncData moves record data above the inline limit: what this node wants, if it
// pulls, and what the server wants and this node has, if it pushes.
func (c *Client) syncData(ctx context.Context, tenant store.Tenant, d engine.Direction, result *SyncResult) error {
	if d.Pulls() {
		if err := c.fetchData(ctx, tenant, result); err != nil {
			return err
		}
	}
	if d.Pushes() {
		return c.sendData(ctx, tenant, result)
	}
	return nil
}

func (c *Client) fetchData(ctx context.Context, tenant store.Tenant, result *SyncResult) error {
	var wanted []cid.Cid
	for w, err := range tenant.WantedData(ctx) {
		if err != nil {
			return err
		}
		wanted = append(wanted, w.CID)
	}
	for _, w := range wanted {
		n, err := c.GetData(ctx, tenant, w)
		var p *Problem
		if errors.As(err, &p) && p.Status == http.StatusNotFound {
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

// sendData asks what the server wants until it wants nothing that is held here.
func (c *Client) sendData(ctx context.Context, tenant store.Tenant, result *SyncResult) error {
	for {
		var wanted []WantedData
		if err := c.callJSON(ctx, http.MethodGet, "/v1/data", nil, &wanted); err != nil {
			return err
		}
		sent := 0
		for _, w := range wanted {
			n, err := c.sendOne(ctx, tenant, w)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			sent++
			result.DataSent++
			result.DataBytesUp += n
		}
		if sent == 0 || len(wanted) < maxWanted {
			return nil
		}
	}
}

func (c *Client) sendOne(ctx context.Context, tenant store.Tenant, w WantedData) (int64, error) {
	parsed, err := parseCID(w.CID)
	if err != nil {
		return 0, err
	}
	return c.PutData(ctx, tenant, parsed)
}

// GetData fetches the record data that id names into tenant's store, which
// verifies it. It returns the number of bytes that came.
func (c *Client) GetData(ctx context.Context, tenant store.Tenant, id cid.Cid) (int64, error) {
	resp, err := c.call(ctx, http.MethodGet, "/v1/data/"+id.String(), nil, auth.DigestOf(nil))
	if err != nil {
		return 0, err
	}
	defer resp.Close()
	body := &countingReader{r: resp}
	err = tenant.PutData(ctx, id, body)
	return body.n, err
}

// PutData sends the record data that id names from tenant's store, reading it
// twice: the token is bound to a hash of the body. It returns the number of
// bytes, or store.ErrNotFound where the data is not held here.
func (c *Client) PutData(ctx context.Context, tenant store.Tenant, id cid.Cid) (int64, error) {
	digest, err := digestData(ctx, tenant, id)
	if err != nil {
		return 0, err
	}
	data, size, err := tenant.OpenData(ctx, id)
	if err != nil {
		return 0, err
	}
	defer data.Close()
	resp, err := c.call(ctx, http.MethodPut, "/v1/data/"+id.String(), data, digest)
	if err != nil {
		return 0, err
	}
	return size, resp.Close()
}

func digestData(ctx context.Context, tenant store.Tenant, id cid.Cid) (auth.Digest, error) {
	data, _, err := tenant.OpenData(ctx, id)
	if err != nil {
		return auth.Digest{}, err
	}
	defer data.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, data); err != nil {
		return auth.Digest{}, err
	}
	return auth.Digest(hash.Sum(nil)), nil
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
