package datasets

// For the tests of damage: the set as it is embedded, and its reader.
func CorpusText() string { return corpusLines }

var (
	CorpusOf      = corpusOf
	CorpusMessage = corpusMessage
)

// Window is how far back a message may refer.
const Window = window
