//go:build !race

package bench

// raceDetector tells tests whether they run under the race detector.
const raceDetector = false
