//go:build race

package engine_test

// raceDetector tells tests whether they run under the race detector.
const raceDetector = true
