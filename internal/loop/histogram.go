package loop

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that are an eighth of their lower bound
// wide, and at least 8 ns.
type histogram struct {
	counts [histogramBuckets]uint32
}

const (
	histogramBits    = 3                   // of a duration that choose among the buckets of its power of two
	histogramUnit    = 8 * time.Nanosecond // the narrowest bucket
	histogramMost    = 40                  // bits of the longest duration in units: two hours
	histogramBuckets = (histogramMost - histogramBits + 1) << histogramBits
)

func (h *histogram) add(d time.Duration) {
	n := min(uint64(max(d, 0))/uint64(histogramUnit), 1<<histogramMost-1)
	shift := max(bits.Len64(n)-histogramBits-1, 0)
	h.counts[uint64(shift)<<histogramBits+n>>shift]++
}

// p99 is the end of the bucket in which 99 of 100 durations lie or below it; 0
// when there are none.
func (h *histogram) p99() time.Duration {
	var above uint64
	for _, n := range h.counts {
		above += uint64(n)
	}
	if above == 0 {
		return 0
	}
	for limit, i := above/100, 0; ; i++ {
		if above -= uint64(h.counts[i]); above <= limit {
			return bucketEnd(i)
		}
	}
}

func bucketEnd(i int) time.Duration {
	shift := max(i>>histogramBits-1, 0)
	return time.Duration(i-shift<<histogramBits+1) << shift * histogramUnit
}

// fade halves what is counted, so that what comes counts more.
func (h *histogram) fade() {
	for i := range h.counts {
		h.counts[i] /= 2
	}
}
