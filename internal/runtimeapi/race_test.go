//go:build race

package runtimeapi_test

const raceEnabled = true
