// Hello-custom is a function with a runtime of its own: it asks the Runtime
// API for events and posts its answers, with nothing but Go's standard library.
// The same few requests make a runtime in any language.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"runtime"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		if err := serveOne(api); err != nil {
			log.Fatal(err)
		}
	}
}

// serveOne waits for one event and answers it.
func serveOne(api string) error {
	next, err := http.Get(api + "next")
	if err != nil {
		return err
	}
	defer next.Body.Close()
	id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
	var event struct {
		Name string `json:"name"`
	}
	if err := json.NewDecoder(next.Body).Decode(&event); err != nil {
		return post(api+id+"/error", map[string]string{"errorType": "BadEvent", "errorMessage": err.Error()})
	}
	if event.Name == "" {
		event.Name = "world"
	}
	fmt.Println("greeting", event.Name)
	return post(api+id+"/response", map[string]string{
		"message": "hello, " + event.Name,
		"from":    "a runtime of its own, " + runtime.Version(),
		"request": id,
	})
}

func post(url string, answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	res, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	return res.Body.Close()
}
