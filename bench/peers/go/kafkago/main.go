// Command kafkago measures segmentio's kafka-go: not idempotent, and a reader for each partition.
package main

import (
	"context"
	"sync"
	"time"

	"bench/contract"

	"github.com/segmentio/kafka-go"
)

const (
	client = "kafka-go"
	module = "github.com/segmentio/kafka-go"
	// call is how many messages are handed over at a time.
	call = 1_000
)

var ctx = context.Background()

func main() {
	args := contract.Parse()
	switch args.Mode {
	case "produce":
		produce(args)
	case "consume":
		consume(args)
	case "latency":
		latency(args)
	case "e2e":
		endToEnd(args)
	default:
		args.Skip(client, "not made: ours has no groups to compare with")
	}
}

func writer(args contract.Args) *kafka.Writer {
	codecs := map[string]kafka.Compression{"lz4": kafka.Lz4, "zstd": kafka.Zstd}
	return &kafka.Writer{
		Addr:         kafka.TCP(args.Bootstrap),
		Topic:        args.Topic,
		RequiredAcks: kafka.RequireAll,
		Compression:  codecs[args.Codec],
		BatchBytes:   int64(args.BatchBytes),
	}
}

func reader(args contract.Args, partition int) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers:   []string{args.Bootstrap},
		Topic:     args.Topic,
		Partition: partition,
		MinBytes:  1,
		MaxBytes:  1 << 20,
	})
}

// window bounds the messages without an outcome: the library's own buffer has no bound.
type window struct {
	lock            sync.Mutex
	changed         *sync.Cond
	open            int
	written, failed int64
}

func newWindow() *window {
	w := &window{}
	w.changed = sync.NewCond(&w.lock)
	return w
}

func (w *window) enter(count, most int) {
	w.lock.Lock()
	for w.open+count > most {
		w.changed.Wait()
	}
	w.open += count
	w.lock.Unlock()
}

func (w *window) leave(messages []kafka.Message, err error) {
	w.lock.Lock()
	w.open -= len(messages)
	if err == nil {
		w.written += int64(len(messages))
	} else {
		w.failed += int64(len(messages))
	}
	w.lock.Unlock()
	w.changed.Signal()
}

// wait ends when everything has its outcome.
func (w *window) wait() (int64, int64) {
	w.lock.Lock()
	defer w.lock.Unlock()
	for w.open > 0 {
		w.changed.Wait()
	}
	written, failed := w.written, w.failed
	w.written, w.failed = 0, 0
	return written, failed
}

func produce(args contract.Args) {
	pool := contract.Pool(args.Size)
	window := newWindow()
	writer := writer(args)
	writer.BatchSize = 10_000
	writer.BatchTimeout = args.Linger()
	writer.Async = true
	writer.Completion = window.leave
	most := min(500_000, 64<<20/(args.Size+32))
	send := func(messages ...kafka.Message) {
		window.enter(len(messages), most)
		if err := writer.WriteMessages(ctx, messages...); err != nil {
			window.leave(messages, err)
		}
	}
	send(kafka.Message{Value: pool[0]})
	if written, _ := window.wait(); written != 1 {
		panic("the first message is not written")
	}
	span := contract.Start()
	for from := 0; from < args.Messages; from += call {
		to := min(args.Messages, from+call)
		messages := make([]kafka.Message, 0, call)
		for number := from; number < to; number++ {
			messages = append(messages, kafka.Message{Value: pool[number&(len(pool)-1)]})
		}
		send(messages...)
	}
	written, failed := window.wait()
	args.Print(client, module, span, written, failed, map[string]any{"sent_total": args.Messages + 1})
	writer.Close()
}

func consume(args contract.Args) {
	// topics are filled evenly
	share := args.Messages / args.Partitions
	span := contract.Start()
	sums := make([]uint64, args.Partitions)
	var group sync.WaitGroup
	for partition := range args.Partitions {
		group.Go(func() {
			reader := reader(args, partition)
			for range share {
				message, err := reader.ReadMessage(ctx)
				contract.Must(err)
				contract.Touch(&sums[partition], message.Value)
			}
		})
	}
	group.Wait()
	var sum uint64
	for _, part := range sums {
		sum += part
	}
	// readers are not closed: each waits for a last answer then
	args.Print(client, module, span, int64(share*args.Partitions), 0, map[string]any{"sum": sum})
}

func latency(args contract.Args) {
	pool := contract.Pool(args.Size)
	writer := writer(args)
	writer.BatchSize = 1
	write := func(value []byte) { contract.Must(writer.WriteMessages(ctx, kafka.Message{Value: value})) }
	write(pool[0])
	us := make([]int64, 0, args.Messages)
	span := contract.Start()
	for number := range args.Messages {
		from := time.Now()
		write(pool[number&(len(pool)-1)])
		us = append(us, time.Since(from).Microseconds())
	}
	args.Print(client, module, span, int64(len(us)), 0, contract.Percentiles(us))
	writer.Close()
}

func endToEnd(args contract.Args) {
	window := newWindow()
	reader, writer := reader(args, 0), writer(args)
	writer.BatchSize = 1
	writer.Async = true
	writer.Completion = window.leave
	total := args.Messages + contract.Warm
	send := func() {
		window.enter(1, total+1)
		contract.Must(writer.WriteMessages(ctx, kafka.Message{Value: contract.Stamp(args.Size)}))
	}
	send()
	window.wait()
	span := contract.Start()
	go func() {
		start := time.Now()
		pause := time.Second / time.Duration(args.Rate)
		for number := range total {
			time.Sleep(time.Until(start.Add(time.Duration(number) * pause)))
			send()
		}
	}()
	us := make([]int64, 0, args.Messages)
	for count := 1; count <= total+1; count++ {
		message, err := reader.ReadMessage(ctx)
		contract.Must(err)
		if count > contract.Warm+1 {
			us = append(us, contract.Unstamp(message.Value))
		}
	}
	_, failed := window.wait()
	args.Print(client, module, span, int64(len(us)), failed, contract.Percentiles(us))
}
