// Command gen makes what Hearth knows of the Lambda API.
//
//	LAMBDA_API_FACTS=lambda-api-facts.json go generate ./internal/lambdaapi/model
//
// It trims the API's facts (operations, HTTP bindings, shapes, constraints) to
// model.json, which package model embeds, and writes the Go types of all inputs
// and outputs to ../wire/types_gen.go. Without -facts it takes model.json as it
// is, so that types can be made again by whoever has the repository only.
package main

import (
	"flag"
	"fmt"
	"os"
)

const (
	modelFile = "model.json"
	typesFile = "../wire/types_gen.go"
)

func main() {
	facts := flag.String("facts", "", "`file` with the facts of the API; model.json stays as it is without one")
	flag.Parse()
	if err := run(*facts); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(facts string) error {
	if facts != "" {
		in, err := os.ReadFile(facts)
		if err != nil {
			return err
		}
		trimmed, err := trim(in)
		if err != nil {
			return fmt.Errorf("%s: %w", facts, err)
		}
		if err := os.WriteFile(modelFile, trimmed, 0o644); err != nil {
			return err
		}
	}
	in, err := os.ReadFile(modelFile)
	if err != nil {
		return err
	}
	types, err := goTypes(in)
	if err != nil {
		return fmt.Errorf("%s: %w", modelFile, err)
	}
	return os.WriteFile(typesFile, types, 0o644)
}
