package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/imdswatch/imdswatch/normalize"
)

// open opens a file, or stdin by the name "-", and unpacks .gz and .zst.
func open(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(name, ".gz"):
		z, err := gzip.NewReader(f)
		if err != nil {
			f.Close()
			return nil, &os.PathError{Op: "unpack", Path: name, Err: err}
		}
		return unpacked{z, f}, nil
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(f, zstd.WithDecoderMaxMemory(1<<30))
		if err != nil {
			f.Close()
			return nil, &os.PathError{Op: "unpack", Path: name, Err: err}
		}
		return unpacked{z.IOReadCloser(), f}, nil
	}
	return f, nil
}

// unpacked closes a decompressor and the file below it.
type unpacked struct {
	io.ReadCloser
	file *os.File
}

func (u unpacked) Close() error {
	u.ReadCloser.Close()
	return u.file.Close()
}

// lines reads a stream line by line. A line is ended by LF or the end; a CR in
// front of the LF is not part of it.
type lines struct {
	r   *bufio.Reader
	buf []byte
	err error // how the stream ended
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 1<<20)} }

// waits reports whether the next line may be long in coming.
func (l *lines) waits() bool { return l.r.Buffered() == 0 }

// next is the next line, valid until the next call, or io.EOF. Of a line longer
// than normalize.MaxRecord it keeps one byte more than that, enough for the
// judge to refuse it, and reads past the rest. Where the stream breaks, the
// beginning of a line comes first and the error next.
func (l *lines) next() ([]byte, error) {
	if l.err != nil {
		return nil, l.err
	}
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.buf = append(l.buf[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = l.r.ReadSlice('\n')
			l.keep(line[:min(len(line), normalize.MaxRecord+1-len(l.buf))])
		}
		line = l.buf
	}
	if l.err = err; len(line) == 0 {
		return nil, err
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// keep appends to the buffer. All buffers that a line outgrows have together no
// more than its size, where append's own steps leave three times as much behind.
func (l *lines) keep(part []byte) {
	if need := len(l.buf) + len(part); need > cap(l.buf) {
		larger := make([]byte, len(l.buf), max(need, min(2*need, normalize.MaxRecord+1)))
		copy(larger, l.buf)
		l.buf = larger
	}
	l.buf = append(l.buf, part...)
}
