package flight

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// TestReadFrom takes contents of telling lengths from readers with habits.
func TestReadFrom(t *testing.T) {
	readers := []struct {
		name string
		wrap func(io.Reader) io.Reader
	}{
		{"plain", func(r io.Reader) io.Reader { return r }},
		{"one byte", iotest.OneByteReader},
		{"data with EOF", iotest.DataErrReader},
		{"half", iotest.HalfReader},
	}
	tests := []struct {
		name      string
		length    int
		expect    int64
		maxBody   int64
		allocated int64 // bytes of memory for it
		overflow  Overflow
	}{
		{"empty", 0, 0, 1000, 1000, Fits},
		{"small", 1000, 0, 0, minChunk, Fits},
		{"small, announced", 1000, 1000, 0, 1000, Fits},
		{"doubles", 20_000, 0, 0, 32 << 10, Fits},
		{"at MaxBody", 5000, 0, 5000, 5000, Fits},
		{"at MaxBody, announced", 5000, 5000, 5000, 5000, Fits},
		{"over MaxBody", 5001, 0, 5000, 5000, TooLarge},
		{"longer than announced", 3000, 1000, 0, 1000 + minChunk, Fits},
		{"shorter than announced", 1000, 3000, 0, 3000, Fits},
		{"an announcement is not believed", 1000, 1 << 30, 1 << 31, maxChunk, Fits},
		{"large, announced", 200_000, 200_000, 0, 200_000, Fits},
	}
	for _, tt := range tests {
		for _, rd := range readers {
			t.Run(tt.name+"/"+rd.name, func(t *testing.T) {
				body := content(tt.length)
				g := NewGroup[string](Options{})
				f := lead(t, g, "k")
				f.Publish(t.Context(), "h", Content{Expect: tt.expect, MaxBody: tt.maxBody})
				r := open(t, g, "k")
				n, err := f.ReadFrom(rd.wrap(bytes.NewReader(body)))
				if n != int64(tt.length) || err != nil {
					t.Fatalf("ReadFrom = %d, %v", n, err)
				}
				if tt.overflow == Fits && f.Retained() != tt.allocated {
					t.Errorf("%d bytes of memory, want %d", f.Retained(), tt.allocated)
				}
				f.Finish(nil)
				f.Leave()
				var got bytes.Buffer
				m, err := r.WriteTo(&got)
				if m != n || err != nil || !bytes.Equal(got.Bytes(), body) {
					t.Errorf("WriteTo = %d, %v, want the %d bytes written", m, err, n)
				}
				if f.Overflowed() != tt.overflow {
					t.Errorf("Overflowed = %d, want %d", f.Overflowed(), tt.overflow)
				}
			})
		}
	}
}

// oddReader breaks io.Reader's contract, or is about to.
type oddReader struct {
	n   int
	err error
}

func (r oddReader) Read([]byte) (int, error) { return r.n, r.err }

func TestReadFromErrors(t *testing.T) {
	tests := []struct {
		name string
		src  io.Reader
		n    int64
		want error // nil: any
	}{
		{"breaks", io.MultiReader(bytes.NewReader(content(5000)), iotest.ErrReader(errUpstream)), 5000, errUpstream},
		{"nothing for ever", oddReader{}, 0, io.ErrNoProgress},
		{"negative count", oddReader{n: -1}, 0, nil},
		{"impossible count", oddReader{n: 1 << 30}, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := lead(t, NewGroup[string](Options{}), "k")
			defer f.Leave()
			f.Publish(t.Context(), "h", Content{})
			n, err := f.ReadFrom(tt.src)
			if n != tt.n || err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("ReadFrom = %d, %v, want %d, %v", n, err, tt.n, tt.want)
			}
		})
	}
}

// limitedWriter takes so many bytes, and then errs or falls short.
type limitedWriter struct {
	left int
	err  error
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, w.err
	}
	return n, nil
}

func TestWriteToErrors(t *testing.T) {
	clientGone := errors.New("connection reset")
	tests := []struct {
		name string
		w    *limitedWriter
		end  error // of the fill
		n    int64
		want error
	}{
		{"client gone", &limitedWriter{5000, clientGone}, nil, 5000, clientGone},
		{"short write", &limitedWriter{5000, nil}, nil, 5000, io.ErrShortWrite},
		{"fill broke", &limitedWriter{1 << 20, nil}, errUpstream, 10_000, errUpstream},
		{"all", &limitedWriter{1 << 20, nil}, nil, 10_000, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := NewGroup[string](Options{})
			f := lead(t, g, "k")
			defer f.Leave()
			f.Publish(t.Context(), "h", Content{})
			r := open(t, g, "k")
			mustWrite(t, f, content(10_000))
			f.Finish(tt.end)
			n, err := r.WriteTo(tt.w)
			if n != tt.n || err != tt.want {
				t.Errorf("WriteTo = %d, %v, want %d, %v", n, err, tt.n, tt.want)
			}
		})
	}
}

// TestPiecesAreTheReadersToKeep: what Next hands out ends at its length, so an
// append cannot reach the bytes behind it, and stays what it was.
func TestPiecesAreTheReadersToKeep(t *testing.T) {
	body := content(6)
	g := NewGroup[string](Options{})
	f := lead(t, g, "k")
	f.Publish(t.Context(), "h", Content{})
	a, b := open(t, g, "k"), open(t, g, "k")
	mustWrite(t, f, body[:3])
	piece, err := a.Next()
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, body[3:])
	_ = append(piece, "xyz"...)
	f.Finish(nil)
	f.Leave()
	mustRead(t, b, body)
	if diff := cmp.Diff(body[:3], piece); diff != "" {
		t.Errorf("a piece has changed (-want +got)\n%s", diff)
	}
	if n, err := a.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing = %d, %v", n, err)
	}
}

// TestReader holds a Reader to the contract of io.Reader.
func TestReader(t *testing.T) {
	body := content(10_000)
	g := NewGroup[string](Options{})
	f := lead(t, g, "k")
	f.Publish(t.Context(), "h", Content{})
	mustWrite(t, f, body)
	f.Finish(nil)
	defer f.Leave()
	if err := iotest.TestReader(open(t, g, "k"), body); err != nil {
		t.Error(err)
	}
}
