//go:build !race

package link

import "time"

// slack is what an event may come too late by.
const slack = 2 * time.Millisecond
