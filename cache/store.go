package cache

import (
	"context"
	"errors"

	"veneer/cache/key"
)

// Selector picks the stored response that a request selects among the variants
// of one primary key (RFC 9111 §4.1). Select returns an index, or -1. It does
// not keep the slice.
type Selector interface {
	Select(variants []*Object) int
}

// Store keeps Objects by primary key. Implementations are safe for concurrent
// use and keep what they are given as it is: an Object is immutable, but that
// it may be purged.
type Store interface {
	// Get returns the Object that sel selects among the variants of k, or nil.
	// It does not keep k.Bytes. An error means that the store could not
	// answer; the engine goes on as if nothing were stored.
	Get(ctx context.Context, k key.Key, sel Selector) (*Object, error)

	// Put stores o; it replaces the variant with equal selecting fields and
	// is visible to every Get that begins after it returned nil. It returns
	// ErrNotAdmitted, ErrTooManyVariants, ErrTooManyOrigins or ErrPurged when
	// it refuses, and then leaves what is stored as it was.
	Put(ctx context.Context, o *Object, opt PutOptions) error

	// Delete removes one Object if it is still the stored one.
	Delete(ctx context.Context, o *Object) error

	// Invalidate removes every Object whose key begins with the target URI
	// uri (key.Key.URI), all origins and variants, and returns how many
	// (RFC 9111 §4.4). A Put with an Epoch taken before is refused.
	Invalidate(ctx context.Context, uri []byte) (int, error)

	Purger
}

// Foreseer is what a Store may be beside: Foresee returns ErrTooManyVariants or
// ErrTooManyOrigins where Put of o would, as things stand, so that a response
// need not be announced as stored. It costs no more than a look-up.
type Foreseer interface {
	Foresee(o *Object, opt PutOptions) error
}

// PutOptions bound what one Put may add.
type PutOptions struct {
	Variants int   // at most so many variants under one primary key; 0: no bound
	Origins  int   // at most so many primary keys under one target URI; 0: no bound
	Epoch    Epoch // what Epoch said before the response was fetched
}

// Why a store refuses a Put.
var (
	ErrNotAdmitted     = errors.New("cache: not admitted by the store's policy")
	ErrTooManyVariants = errors.New("cache: too many variants under this key")
	ErrTooManyOrigins  = errors.New("cache: too many origins under this target URI")
	ErrPurged          = errors.New("cache: purged while it was fetched")
)
