// Package demo is `hearth demo`: a node of its own in a temporary directory, a
// function on it that is invoked cold, warm and a thousand times, and nothing
// left behind. It uses what a user would, the binary and the API.
package demo
