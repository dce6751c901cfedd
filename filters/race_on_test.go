//go:build race

package filters

// RaceDetector tells tests whether they run under the race detector.
const RaceDetector = true
