package http1

// fieldID stands for a field name that the package has to find or to refuse
// without comparing strings; 0 stands for every other name.
type fieldID uint8

// Framing fields come first: id <= lastFraming means "look at it when the
// head is complete".
const (
	idOther fieldID = iota
	idHost
	idContentLength
	idTransferEncoding
	idConnection
	idExpect
	idUpgrade

	idTE
	idTrailer
	idKeepAlive
	idProxyConnection
	idCookie
	idContentType
	idContentEncoding
	idContentRange
	idAuthorization
	idProxyAuthorization
	idSetCookie
	idDate
	idServer
	idAccept
	idAcceptEncoding
	idAcceptLanguage
	idUserAgent
	idReferer
	idOrigin
	idRange
	idIfMatch
	idIfNoneMatch
	idIfModifiedSince
	idIfUnmodifiedSince
	idIfRange
	idCacheControl
	idPragma
	idSecWebSocketKey
	idSecWebSocketVersion
	idSecWebSocketProtocol
	idSecWebSocketExtensions
	idForwarded
	idXForwardedFor

	fieldIDs // number of ids; below 64, so that a set of them is one word

	lastFraming = idUpgrade
)

// fieldNames holds the names in lower case.
var fieldNames = [fieldIDs]string{
	idHost:                   "host",
	idContentLength:          "content-length",
	idTransferEncoding:       "transfer-encoding",
	idConnection:             "connection",
	idExpect:                 "expect",
	idUpgrade:                "upgrade",
	idTE:                     "te",
	idTrailer:                "trailer",
	idKeepAlive:              "keep-alive",
	idProxyConnection:        "proxy-connection",
	idCookie:                 "cookie",
	idContentType:            "content-type",
	idContentEncoding:        "content-encoding",
	idContentRange:           "content-range",
	idAuthorization:          "authorization",
	idProxyAuthorization:     "proxy-authorization",
	idSetCookie:              "set-cookie",
	idDate:                   "date",
	idServer:                 "server",
	idAccept:                 "accept",
	idAcceptEncoding:         "accept-encoding",
	idAcceptLanguage:         "accept-language",
	idUserAgent:              "user-agent",
	idReferer:                "referer",
	idOrigin:                 "origin",
	idRange:                  "range",
	idIfMatch:                "if-match",
	idIfNoneMatch:            "if-none-match",
	idIfModifiedSince:        "if-modified-since",
	idIfUnmodifiedSince:      "if-unmodified-since",
	idIfRange:                "if-range",
	idCacheControl:           "cache-control",
	idPragma:                 "pragma",
	idSecWebSocketKey:        "sec-websocket-key",
	idSecWebSocketVersion:    "sec-websocket-version",
	idSecWebSocketProtocol:   "sec-websocket-protocol",
	idSecWebSocketExtensions: "sec-websocket-extensions",
	idForwarded:              "forwarded",
	idXForwardedFor:          "x-forwarded-for",
}

// fieldSet is a set of fieldIDs, one bit each.
type fieldSet uint64

func setOf(ids ...fieldID) (s fieldSet) {
	for _, id := range ids {
		s |= 1 << id
	}
	return s
}

func (s fieldSet) has(id fieldID) bool { return s>>id&1 != 0 }

// A name's place in the table depends on its length, its first and its last
// letter. The factors were searched so that no two names share a place; a
// test holds them to it.
const (
	hashSize   = 128
	maxNameLen = 24
	hashLen    = 7
	hashFirst  = 8
	hashLast   = 4
)

type knownName struct {
	name [maxNameLen]byte
	fold [maxNameLen]byte // 0x20 where name has a letter: what makes it lower case
	len  uint8
	id   fieldID
}

var knownNames = makeKnownNames()

func makeKnownNames() (t [hashSize]knownName) {
	for id, name := range fieldNames {
		if name == "" {
			continue
		}
		k := &t[nameHash(len(name), name[0], name[len(name)-1])]
		*k = knownName{len: uint8(len(name)), id: fieldID(id)}
		for i := range len(name) {
			k.name[i] = name[i]
			if name[i] != '-' {
				k.fold[i] = 0x20
			}
		}
	}
	return t
}

func nameHash(n int, first, last byte) uint {
	return (uint(n)*hashLen + uint(first|0x20)*hashFirst + uint(last|0x20)*hashLast) % hashSize
}

// identify returns the id of a field name, in whatever case.
func identify[T string | []byte](name T) fieldID {
	n := len(name)
	if n < 2 || n > maxNameLen {
		return idOther
	}
	k := &knownNames[nameHash(n, name[0], name[n-1])]
	if int(k.len) != n || !sameName(name, k) {
		return idOther
	}
	return k.id
}

// sameName compares in words of eight bytes, the last one overlapping.
func sameName[T string | []byte](name T, k *knownName) bool {
	n := len(name)
	if n < 8 {
		for i := range n {
			if name[i]|k.fold[i] != k.name[i] {
				return false
			}
		}
		return true
	}
	for i := 0; i+8 < n; i += 8 {
		if word(name, i)|word(k.fold[:], i) != word(k.name[:], i) {
			return false
		}
	}
	return word(name, n-8)|word(k.fold[:], n-8) == word(k.name[:], n-8)
}
