// Package charttest reads a chart back, for the tests of those who draw one.
package charttest

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// Texts returns the text of each element of a chart by the element's name, in
// their order. It fails the test when the chart is not XML.
func Texts(tb testing.TB, svg string) map[string][]string {
	tb.Helper()
	texts := make(map[string][]string)
	for d, in := xml.NewDecoder(strings.NewReader(svg)), ""; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			tb.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			in = x.Name.Local
		case xml.EndElement:
			in = ""
		case xml.CharData:
			if in != "" {
				texts[in] = append(texts[in], string(x))
			}
		}
	}
}
