package datasets

import "strconv"

// Media types of record data.
const (
	formatJSON   = "application/json"
	formatText   = "text/plain"
	formatBinary = "application/octet-stream"
	formatImage  = "image/png"
)

// The protocol that every generated set installs first, and what its records are.
const (
	protocolURI   = "https://example.org/protocols/notebook"
	pageSchema    = "https://example.org/schemas/page"
	commentSchema = "https://example.org/schemas/comment"
	replySchema   = "https://example.org/schemas/reply"
)

// object is a JSON object.
type object = map[string]any

// definition returns the protocol's definition. Nobody but the tenant may write:
// there are no actions.
func definition() object {
	text := []any{formatJSON, formatText}
	return object{
		"protocol":  protocolURI,
		"published": true,
		"types": object{
			"page":       object{"schema": pageSchema, "dataFormats": text},
			"attachment": object{"dataFormats": []any{formatImage, formatBinary}},
			"comment":    object{"schema": commentSchema, "dataFormats": text},
			"reply":      object{"schema": replySchema, "dataFormats": text},
		},
		"structure": object{
			"page": object{
				"attachment": object{},
				"comment":    object{"reply": object{}},
			},
		},
	}
}

// words fill texts. Some are of more than one byte a letter, one of four.
func words() []string {
	return []string{
		"node", "message", "every", "late", "and", "the", "of", "tenant", "walks", "home",
		"Größe", "naïve", "żółw", "здесь", "日本", "🚀", "table", "two", "seldom", "ring",
	}
}

// describe adds to the descriptor d of a new record what its form has.
func (g *generator) describe(d object, f form) {
	d["dataFormat"] = pick(g.random, []string{formatJSON, formatJSON, formatText})
	if f != flat {
		d["protocol"] = protocolURI
	}
	switch f {
	case flat:
		g.describeFlat(d)
	case page:
		d["protocolPath"], d["schema"] = "page", pageSchema
	case attachment:
		d["protocolPath"] = "page/attachment"
		d["dataFormat"] = pick(g.random, []string{formatImage, formatBinary})
	case comment:
		d["protocolPath"], d["schema"] = "page/comment", commentSchema
	case reply:
		d["protocolPath"], d["schema"] = "page/comment/reply", replySchema
	}
	if g.random.chance(6) {
		d["recipient"] = pick(g.random, g.recipients)
	}
	if g.random.chance(8) {
		d["published"], d["datePublished"] = true, d["messageTimestamp"]
	}
	if g.random.chance(3) {
		d["tags"] = g.tags()
	}
}

// describeFlat adds what records outside protocols have: often a schema.
func (g *generator) describeFlat(d object) {
	if g.random.chance(8) {
		d["dataFormat"] = formatBinary
		return
	}
	if !g.random.chance(8) {
		d["schema"] = pick(g.random, []string{
			"https://schema.org/Person", "https://schema.org/Article", "https://schema.org/Event",
			"https://example.org/schemas/weight", "https://example.org/schemas/task",
		})
	}
}

// tags returns one to four tags, one of each type that there is.
func (g *generator) tags() object {
	all := []struct {
		name  string
		value any
	}{
		{"topic", pick(g.random, words())},
		{"revision", g.random.below(1000)},
		{"draft", g.random.chance(2)},
		{"weight", float64(g.random.below(200)) + 0.5}, // exact in binary
		{"words", []any{pick(g.random, words()), pick(g.random, words())}},
		{"sizes", []any{g.random.below(10), g.random.below(1 << 40)}},
	}
	tags := object{}
	for range 1 + g.random.below(4) {
		tag := pick(g.random, all)
		tags[tag.name] = tag.value
	}
	return tags
}

// data returns least to maxData bytes of record data of a media type: valid JSON,
// UTF-8 text, or any bytes. JSON has a byte at least. It is never nil.
func (g *generator) data(format string, least int) []byte {
	size := max(least, int(g.random.below(1+g.random.below(int64(g.maxData)+1))))
	data := make([]byte, 0, size+2)
	switch format {
	case formatJSON:
		return g.appendJSON(data, size)
	case formatText:
		return g.appendText(data, size)
	default:
		return g.random.appendBytes(data, size)
	}
}

// appendJSON appends a JSON object of size bytes, or something shorter if that is
// too few for one with members.
func (g *generator) appendJSON(dst []byte, size int) []byte {
	head := `{"n":` + strconv.FormatInt(g.random.below(1000), 10) + `,"text":"`
	switch tail := `"}`; {
	case size >= len(head)+len(tail):
		dst = append(dst, head...)
		dst = g.appendText(dst, size-len(head)-len(tail))
		return append(dst, tail...)
	case g.maxData >= len("{}"):
		return append(dst, "{}"...)
	default:
		return append(dst, '0')
	}
}

// appendText appends words of n bytes in all, stops for what no word fits into.
func (g *generator) appendText(dst []byte, n int) []byte {
	list := words()
	for end := len(dst) + n; len(dst) < end; {
		word := pick(g.random, list)
		if len(dst)+len(word) >= end {
			dst = append(dst, '.')
			continue
		}
		dst = append(dst, word...)
		dst = append(dst, ' ')
	}
	return dst
}
