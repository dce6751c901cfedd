//go:build race

package link

import "time"

// slack is what an event may come too late by. The race detector makes sending a gigabit
// a second take several times as long.
const slack = 20 * time.Millisecond
