package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"testing"
)

// The committed picture is what the program draws, and well-formed.
func TestCommittedPicture(t *testing.T) {
	var b bytes.Buffer
	if err := draw(&b); err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("life.svg")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, b.Bytes()) {
		t.Error("life.svg is not what the program draws: go run ./cmd/internal/picture > cmd/internal/picture/life.svg")
	}
	for d := xml.NewDecoder(&b); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
