// Command franz measures franz-go.
package main

import (
	"context"
	"sync/atomic"
	"time"

	"bench/contract"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	client = "franz-go"
	module = "github.com/twmb/franz-go"
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

func producer(args contract.Args, linger time.Duration) *kgo.Client {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	producer, err := kgo.NewClient(
		kgo.SeedBrokers(args.Bootstrap),
		kgo.DefaultProduceTopic(args.Topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(linger),
		kgo.ProducerBatchMaxBytes(int32(args.BatchBytes)),
		kgo.ProducerBatchCompression(codecs[args.Codec]),
		kgo.MaxBufferedRecords(500_000),
		kgo.MaxBufferedBytes(64<<20),
	)
	contract.Must(err)
	return producer
}

func consumer(args contract.Args) *kgo.Client {
	offsets := map[int32]kgo.Offset{}
	for partition := range args.Partitions {
		offsets[int32(partition)] = kgo.NewOffset().AtStart()
	}
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(args.Bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{args.Topic: offsets}),
		kgo.FetchMaxPartitionBytes(1<<20),
	)
	contract.Must(err)
	return consumer
}

func first(producer *kgo.Client, value []byte) {
	contract.Must(producer.ProduceSync(ctx, &kgo.Record{Value: value}).FirstErr())
}

func produce(args contract.Args) {
	pool := contract.Pool(args.Size)
	producer := producer(args, args.Linger())
	first(producer, pool[0])
	var written, failed atomic.Int64
	done := func(_ *kgo.Record, err error) {
		if err == nil {
			written.Add(1)
		} else {
			failed.Add(1)
		}
	}
	span := contract.Start()
	for number := range args.Messages {
		producer.Produce(ctx, &kgo.Record{Value: pool[number&(len(pool)-1)]}, done)
	}
	contract.Must(producer.Flush(ctx))
	args.Print(client, module, span, written.Load(), failed.Load(), map[string]any{"sent_total": args.Messages + 1})
	producer.Close()
}

func consume(args contract.Args) {
	span := contract.Start()
	consumer := consumer(args)
	var sum uint64
	var errors int64
	count := 0
	for count < args.Messages {
		fetches := consumer.PollFetches(ctx)
		errors += int64(len(fetches.Errors()))
		fetches.EachRecord(func(record *kgo.Record) {
			contract.Touch(&sum, record.Value)
			count++
		})
	}
	args.Print(client, module, span, int64(count), errors, map[string]any{"sum": sum})
	consumer.Close()
}

func latency(args contract.Args) {
	pool := contract.Pool(args.Size)
	producer := producer(args, 0)
	first(producer, pool[0])
	us := make([]int64, 0, args.Messages)
	span := contract.Start()
	for number := range args.Messages {
		from := time.Now()
		first(producer, pool[number&(len(pool)-1)])
		us = append(us, time.Since(from).Microseconds())
	}
	args.Print(client, module, span, int64(len(us)), 0, contract.Percentiles(us))
	producer.Close()
}

func endToEnd(args contract.Args) {
	consumer, producer := consumer(args), producer(args, 0)
	first(producer, contract.Stamp(args.Size))
	span := contract.Start()
	total := args.Messages + contract.Warm
	var failed atomic.Int64
	go func() {
		start := time.Now()
		pause := time.Second / time.Duration(args.Rate)
		for number := range total {
			time.Sleep(time.Until(start.Add(time.Duration(number) * pause)))
			producer.Produce(ctx, &kgo.Record{Value: contract.Stamp(args.Size)}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.Add(1)
				}
			})
		}
	}()
	us := make([]int64, 0, args.Messages)
	for count := 0; count < total+1; {
		consumer.PollFetches(ctx).EachRecord(func(record *kgo.Record) {
			if count++; count > contract.Warm+1 {
				us = append(us, contract.Unstamp(record.Value))
			}
		})
	}
	args.Print(client, module, span, int64(len(us)), failed.Load(), contract.Percentiles(us))
	producer.Close()
	consumer.Close()
}
