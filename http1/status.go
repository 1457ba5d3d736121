package http1

import "strconv"

// StatusText returns the reason phrase of a status code (RFC 9110 section
// 15 and the IANA registry), or "" for a code without one.
func StatusText(code int) string {
	if code < 100 || code >= 100+len(reasons) {
		return ""
	}
	return reasons[code-100]
}

var reasons = [...]string{
	100 - 100: "Continue",
	101 - 100: "Switching Protocols",
	103 - 100: "Early Hints",

	200 - 100: "OK",
	201 - 100: "Created",
	202 - 100: "Accepted",
	203 - 100: "Non-Authoritative Information",
	204 - 100: "No Content",
	205 - 100: "Reset Content",
	206 - 100: "Partial Content",

	300 - 100: "Multiple Choices",
	301 - 100: "Moved Permanently",
	302 - 100: "Found",
	303 - 100: "See Other",
	304 - 100: "Not Modified",
	307 - 100: "Temporary Redirect",
	308 - 100: "Permanent Redirect",

	400 - 100: "Bad Request",
	401 - 100: "Unauthorized",
	402 - 100: "Payment Required",
	403 - 100: "Forbidden",
	404 - 100: "Not Found",
	405 - 100: "Method Not Allowed",
	406 - 100: "Not Acceptable",
	407 - 100: "Proxy Authentication Required",
	408 - 100: "Request Timeout",
	409 - 100: "Conflict",
	410 - 100: "Gone",
	411 - 100: "Length Required",
	412 - 100: "Precondition Failed",
	413 - 100: "Content Too Large",
	414 - 100: "URI Too Long",
	415 - 100: "Unsupported Media Type",
	416 - 100: "Range Not Satisfiable",
	417 - 100: "Expectation Failed",
	421 - 100: "Misdirected Request",
	422 - 100: "Unprocessable Content",
	425 - 100: "Too Early",
	426 - 100: "Upgrade Required",
	428 - 100: "Precondition Required",
	429 - 100: "Too Many Requests",
	431 - 100: "Request Header Fields Too Large",
	451 - 100: "Unavailable For Legal Reasons",

	500 - 100: "Internal Server Error",
	501 - 100: "Not Implemented",
	502 - 100: "Bad Gateway",
	503 - 100: "Service Unavailable",
	504 - 100: "Gateway Timeout",
	505 - 100: "HTTP Version Not Supported",
	511 - 100: "Network Authentication Required",
}

// appendStatusLine appends "HTTP/1.1 200 OK" and CRLF. A code without a
// reason phrase keeps the space before the empty phrase (RFC 9112 section 4).
func appendStatusLine(dst []byte, code int) []byte {
	if code == 200 {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(code), 10)
	dst = append(dst, ' ')
	dst = append(dst, StatusText(code)...)
	return append(dst, '\r', '\n')
}
