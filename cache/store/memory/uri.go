package memory

// The records of one target URI (primary keys of other origins and other
// route-specific parts) hang together, so that a purge finds all of them. They
// are a list from the newest to the oldest, and the newest stands in shard.uris
// for all. Nearly all URIs have one record: the list costs it no memory of its
// own. For writers alone.

// uri returns the target URI of a record.
func (r *record) uri() string { return r.key[:r.group] }

// newest returns the newest record of a target URI or nil.
func (sh *shard) newest(hash uint64, uri string) *record {
	r := sh.uris[hash]
	for r != nil && r.uri() != uri {
		r = r.nextURI
	}
	return r
}

// join makes r the newest record of its target URI.
func (sh *shard) join(r *record, hash uint64) {
	was := sh.newest(hash, r.uri())
	if was == nil {
		r.n, r.nextURI = 1, sh.uris[hash]
		sh.uris[hash] = r
		sh.order.add(r)
		return
	}
	r.older, was.newer = was, r
	sh.succeed(was, r, hash)
	r.n++
}

// leave takes r out of the list of its target URI, and the URI with the last.
func (sh *shard) leave(r *record, hash uint64) {
	if r.newer == nil && r.older == nil {
		sh.forgetURI(r, hash)
		return
	}
	newest := r
	if r.newer != nil {
		newest = sh.newest(hash, r.uri())
		r.newer.older = r.older
	}
	if r.older != nil {
		r.older.newer = r.newer
	}
	if newest == r {
		newest = r.older
		sh.succeed(r, newest, hash)
	}
	newest.n--
}

// succeed lets r stand for a target URI in the place of old.
func (sh *shard) succeed(old, r *record, hash uint64) {
	r.n, r.nextURI = old.n, old.nextURI
	old.n, old.nextURI = 0, nil
	sh.order.replace(r)
	if head := sh.uris[hash]; head != old {
		for head.nextURI != old {
			head = head.nextURI
		}
		head.nextURI = r
		return
	}
	sh.uris[hash] = r
}

// removeURI takes all records of a target URI out at once. r is the newest.
func (sh *shard) removeURI(r *record, hash uint64) {
	sh.mu.Lock()
	for x := r; x != nil; x = x.older {
		sh.unlinkLocked(x)
	}
	sh.mu.Unlock()
	sh.forgetURI(r, hash)
}

// forgetURI takes the newest record of a target URI out of shard.uris and the
// order.
func (sh *shard) forgetURI(r *record, hash uint64) {
	sh.order.remove(r.uri())
	head := sh.uris[hash]
	switch {
	case head != r:
		for head.nextURI != r {
			head = head.nextURI
		}
		head.nextURI = r.nextURI
	case r.nextURI != nil:
		sh.uris[hash] = r.nextURI
	default:
		delete(sh.uris, hash)
	}
}
