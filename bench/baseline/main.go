// Command baseline is what Hearth's warm path is measured against: a bare
// httputil.ReverseProxy in one process before a bare net/http echo server in
// another. With the client that makes three processes and two hops, as with
// Hearth.
//
//	baseline echo           listens on a free port and prints the address
//	baseline proxy ADDRESS  the same, before ADDRESS
//
// Each ends when its standard input does.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
)

func main() {
	log.SetFlags(0)
	var h http.Handler
	switch {
	case len(os.Args) == 2 && os.Args[1] == "echo":
		h = http.HandlerFunc(echo)
	case len(os.Args) == 3 && os.Args[1] == "proxy":
		h = proxy(os.Args[2])
	default:
		log.Fatal("usage: baseline echo | baseline proxy ADDRESS")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // any end will do
		os.Exit(0)
	}()
	fmt.Println(l.Addr())
	log.Fatal(http.Serve(l, h))
}

// echo reads all before it writes: net/http discards what is left of a request
// once its answer begins.
func echo(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) // the client sees it
}

func proxy(addr string) http.Handler {
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	// The default transport keeps two idle connections for a host, and would
	// dial anew all the time with sixteen clients: not the comparison we want.
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 256
	p.Transport = t
	return p
}
