// What bench/tasks.c measures, with Go's goroutines: one `name value` a line.
//
//	go_tasks [NAME...]
//
// Run it with GOMAXPROCS=1. What has rounds is their median, in CPU time.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	rounds   = 21
	turns    = 100000
	sleepers = 1000000
)

func yieldOften() {
	for i := 0; i < turns/2; i++ {
		runtime.Gosched()
	}
}

func yieldRound() {
	done := make(chan bool)
	go func() {
		yieldOften()
		done <- true
	}()
	yieldOften()
	<-done
}

func spawnJoinRound() {
	var group sync.WaitGroup
	for i := 0; i < turns; i++ {
		group.Add(1)
		go group.Done()
		group.Wait()
	}
}

func mutexRound() {
	var mutex sync.Mutex
	for i := 0; i < turns; i++ {
		mutex.Lock()
		mutex.Unlock()
	}
}

// Half as many there as back again: a hand-over is one way.
func channelRound() {
	there, back := make(chan int), make(chan int)
	go func() {
		for value := range there {
			back <- value
		}
		close(back)
	}()
	for i := 0; i < turns/2; i++ {
		there <- i
		<-back
	}
	close(there)
	<-back
}

func median(round func()) float64 {
	took := make([]float64, rounds)
	round()
	for i := range took {
		start := cpuSeconds()
		round()
		took[i] = cpuSeconds() - start
	}
	sort.Float64s(took)
	return took[rounds/2] * 1e9 / turns
}

func residentBytes() float64 {
	var size, resident uint64
	text, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(text), &size, &resident)
	return float64(resident) * float64(os.Getpagesize())
}

func sleepingBytes() float64 {
	before := residentBytes()
	var started sync.WaitGroup
	started.Add(sleepers)
	for i := 0; i < sleepers; i++ {
		go func() {
			started.Done()
			time.Sleep(time.Hour)
		}()
	}
	started.Wait()
	return (residentBytes() - before) / sleepers
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// A number that looks random, the same each time.
func scatter(number uint64) uint64 {
	number = (number ^ number>>30) * 0xbf58476d1ce4e5b9
	number = (number ^ number>>27) * 0x94d049bb133111eb
	return number ^ number>>31
}

func millionSleeps() float64 {
	before := cpuSeconds()
	var all sync.WaitGroup
	all.Add(sleepers)
	for i := uint64(0); i < sleepers; i++ {
		go func(i uint64) {
			time.Sleep(time.Duration(scatter(i) % uint64(time.Second)))
			all.Done()
		}(i)
	}
	all.Wait()
	return cpuSeconds() - before
}

// The last one leaves its goroutines behind.
var figures = []struct {
	name    string
	measure func() float64
}{
	{"yield_ns", func() float64 { return median(yieldRound) }},
	{"spawn_join_ns", func() float64 { return median(spawnJoinRound) }},
	{"mutex_ns", func() float64 { return median(mutexRound) }},
	{"channel_ns", func() float64 { return median(channelRound) }},
	{"million_sleeps_cpu_s", millionSleeps},
	{"sleeping_bytes", func() float64 { debug.FreeOSMemory(); return sleepingBytes() }},
}

func main() {
	names := strings.Join(os.Args[1:], " ")
	for _, figure := range figures {
		if names == "" || strings.Contains(" "+names+" ", " "+figure.name+" ") {
			fmt.Printf("%s %.2f\n", figure.name, figure.measure())
		}
	}
}
