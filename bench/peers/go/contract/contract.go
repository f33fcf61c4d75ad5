// Package contract is what the benchmark programs in Go share: arguments, data, clocks, the line of results.
package contract

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Warm is how many messages of the end-to-end workload are not counted.
const Warm = 200

// Args is everything that a program is told.
type Args struct {
	Workload, Mode, Bootstrap, Topic, Codec                string
	Messages, Size, Partitions, LingerMS, BatchBytes, Rate int
}

// Parse reads the command line, and has the process end when its time is up.
func Parse() Args {
	var a Args
	flag.StringVar(&a.Workload, "workload", "", "")
	flag.StringVar(&a.Mode, "mode", "", "")
	flag.StringVar(&a.Bootstrap, "bootstrap", "", "")
	flag.StringVar(&a.Topic, "topic", "", "")
	flag.StringVar(&a.Codec, "codec", "none", "")
	flag.IntVar(&a.Messages, "messages", 0, "")
	flag.IntVar(&a.Size, "size", 100, "")
	flag.IntVar(&a.Partitions, "partitions", 6, "")
	flag.IntVar(&a.LingerMS, "linger-ms", 5, "")
	flag.IntVar(&a.BatchBytes, "batch-bytes", 1_000_000, "")
	flag.IntVar(&a.Rate, "rate", 500, "")
	limit := flag.Int("timeout-s", 120, "")
	flag.Parse()
	time.AfterFunc(time.Duration(*limit)*time.Second, func() {
		fmt.Fprintf(os.Stderr, "not done after %d s\n", *limit)
		os.Exit(3)
	})
	return a
}

// Linger is how long a batch may wait for more.
func (a Args) Linger() time.Duration { return time.Duration(a.LingerMS) * time.Millisecond }

var names = strings.Fields("id kind state owner amount price weight height north east speed level signal sensor station " +
	"route driver vehicle cargo depot open closed waiting moving late early morning evening red green blue grey")

// Pool has the values: the same bytes in every language. Its length is a power of two.
func Pool(size int) [][]byte {
	count := 65_536
	if size > 256 {
		count = 16_384
	}
	state := uint64(42)
	pool := make([][]byte, count)
	for i := range pool {
		value := make([]byte, 0, size+32)
		for len(value) < size {
			// splitmix64
			state += 0x9e3779b97f4a7c15
			bits := state
			bits = (bits ^ bits>>30) * 0xbf58476d1ce4e5b9
			bits = (bits ^ bits>>27) * 0x94d049bb133111eb
			bits ^= bits >> 31
			value = append(append(value, names[bits&31]...), '=')
			if bits>>5&1 == 1 {
				value = strconv.AppendUint(value, (bits>>16)%100_000, 10)
			} else {
				value = append(value, names[bits>>8&31]...)
			}
			value = append(value, ';')
		}
		pool[i] = value[:size:size]
	}
	return pool
}

// Touch is what a consumer does with a value.
func Touch(sum *uint64, value []byte) {
	*sum += uint64(len(value))
	if len(value) > 0 {
		*sum += uint64(value[0])
	}
}

var epoch = time.Now()

// Stamp makes a value that begins with the time.
func Stamp(size int) []byte {
	value := make([]byte, max(size, 8))
	binary.LittleEndian.PutUint64(value, uint64(time.Since(epoch)))
	return value
}

// Unstamp says how many microseconds ago a value was stamped.
func Unstamp(value []byte) int64 {
	return (int64(time.Since(epoch)) - int64(binary.LittleEndian.Uint64(value))) / 1_000
}

// Span is wall and CPU time of the process since a moment.
type Span struct {
	from         time.Time
	user, system time.Duration
}

// Start begins a span.
func Start() Span {
	var usage syscall.Rusage
	Must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return Span{time.Now(), time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())}
}

// Print ends a span and prints the line of results.
func (a Args) Print(client, module string, span Span, messages, errors int64, extra map[string]any) {
	now := Start()
	wall := now.from.Sub(span.from).Seconds()
	user, system := (now.user - span.user).Seconds(), (now.system - span.system).Seconds()
	line, err := json.Marshal(map[string]any{
		"client": client, "version": version(module), "workload": a.Workload,
		"messages": messages, "bytes": messages * int64(a.Size),
		"wall_s": wall, "cpu_user_s": user, "cpu_sys_s": system, "max_rss_mb": peakMiB(),
		"msgs_per_s":     float64(messages) / wall,
		"cpu_us_per_msg": (user + system) * 1e6 / float64(max(messages, 1)),
		"errors":         errors, "extra": extra,
	})
	Must(err)
	fmt.Println(string(line))
}

// Skip says that the client cannot do this workload, and why.
func (a Args) Skip(client, why string) {
	line, err := json.Marshal(map[string]any{"client": client, "workload": a.Workload, "skip": why})
	Must(err)
	fmt.Println(string(line))
}

// Percentiles of microseconds, as the extra of a line.
func Percentiles(us []int64) map[string]any {
	slices.Sort(us)
	at := func(part float64) int64 { return us[int(math.Round(float64(len(us)-1)*part))] }
	return map[string]any{"p50_us": at(0.5), "p90_us": at(0.9), "p99_us": at(0.99), "max_us": at(1)}
}

// Must ends the program with an error.
func Must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return strings.TrimPrefix(dependency.Version, "v")
		}
	}
	return ""
}

func peakMiB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == "VmHWM:" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			return kib / 1024
		}
	}
	return 0
}
