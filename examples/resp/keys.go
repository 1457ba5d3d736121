package main

// keys is what the server remembers. It belongs to the worker's loop.
type keys struct {
	now      func() int64 // milliseconds on a clock that only goes forward
	all      map[string]*entry
	expiring map[string]*entry // those of all that will expire
}

type entry struct {
	value   []byte
	expires int64 // as keys.now; 0: never
}

func newKeys() *keys {
	return &keys{now: func() int64 { return 0 }, all: map[string]*entry{}, expiring: map[string]*entry{}}
}

// get returns the entry of a key, nil when there is none or its time is over.
func (k *keys) get(key []byte) *entry {
	e := k.all[string(key)]
	if e != nil && e.expires != 0 && e.expires <= k.now() {
		k.del(key)
		return nil
	}
	return e
}

// put stores a copy of value. The memory of an earlier one is used again
// unless most of it would be wasted.
func (k *keys) put(key, value []byte) *entry {
	e := k.all[string(key)]
	if e == nil {
		e = &entry{}
		k.all[string(key)] = e
	}
	if cap(e.value) > 2*len(value)+64 {
		e.value = nil
	}
	e.value = append(e.value[:0], value...)
	k.expire(key, e, 0)
	return e
}

// expire lets an entry end at a time of keys.now, 0 for never.
func (k *keys) expire(key []byte, e *entry, at int64) {
	switch {
	case at != 0:
		k.expiring[string(key)] = e
	case e.expires != 0:
		delete(k.expiring, string(key))
	}
	e.expires = at
}

func (k *keys) del(key []byte) {
	delete(k.expiring, string(key))
	delete(k.all, string(key))
}

func (k *keys) flush() {
	clear(k.all)
	clear(k.expiring)
}

// sweep forgets some of the keys whose time is over and that nobody asks for.
func (k *keys) sweep() {
	const most = 1000 // looked at in one turn of the loop
	looked, now := 0, k.now()
	for key, e := range k.expiring {
		if looked++; looked > most {
			return
		}
		if e.expires <= now {
			delete(k.expiring, key)
			delete(k.all, key)
		}
	}
}
