package datasets

// Source is where the items of a real set come from. Its text is the label of a
// benchmark, as in "data=git". The synthetic sets have [Shape] and [Divergence] for
// labels instead.
type Source string

// The sources of real sets.
const (
	// FromCorpus is the shipped messages: [Corpus].
	FromCorpus Source = "corpus"
	// FromGit is the commits of a git repository: [Git].
	FromGit Source = "git"
	// FromJSONLines is the lines of a file: [JSONLines].
	FromJSONLines Source = "jsonlines"
)

// Sources returns all sources. The caller owns the list.
func Sources() []Source { return []Source{FromCorpus, FromGit, FromJSONLines} }
