package http1

import "strconv"

// StatusText returns the reason phrase of a status code (RFC 9110 section
// 15 and the IANA registry), or "" for a code without one.
func StatusText(code int) string {
	if code < 0 || code >= len(reasons) {
		return ""
	}
	return reasons[code]
}

var reasons = [...]string{
	100: "Continue",
	101: "Switching Protocols",
	103: "Early Hints",

	200: "OK",
	201: "Created",
	202: "Accepted",
	203: "Non-Authoritative Information",
	204: "No Content",
	205: "Reset Content",
	206: "Partial Content",

	300: "Multiple Choices",
	301: "Moved Permanently",
	302: "Found",
	303: "See Other",
	304: "Not Modified",
	307: "Temporary Redirect",
	308: "Permanent Redirect",

	400: "Bad Request",
	401: "Unauthorized",
	402: "Payment Required",
	403: "Forbidden",
	404: "Not Found",
	405: "Method Not Allowed",
	406: "Not Acceptable",
	407: "Proxy Authentication Required",
	408: "Request Timeout",
	409: "Conflict",
	410: "Gone",
	411: "Length Required",
	412: "Precondition Failed",
	413: "Content Too Large",
	414: "URI Too Long",
	415: "Unsupported Media Type",
	416: "Range Not Satisfiable",
	417: "Expectation Failed",
	421: "Misdirected Request",
	422: "Unprocessable Content",
	425: "Too Early",
	426: "Upgrade Required",
	428: "Precondition Required",
	429: "Too Many Requests",
	431: "Request Header Fields Too Large",
	451: "Unavailable For Legal Reasons",

	500: "Internal Server Error",
	501: "Not Implemented",
	502: "Bad Gateway",
	503: "Service Unavailable",
	504: "Gateway Timeout",
	505: "HTTP Version Not Supported",
	511: "Network Authentication Required",
}

// statusLines holds the status line of every code that has a reason phrase.
var statusLines = makeStatusLines()

func makeStatusLines() (t [len(reasons)]string) {
	for code, reason := range reasons {
		if reason != "" {
			t[code] = "HTTP/1.1 " + strconv.Itoa(code) + " " + reason + "\r\n"
		}
	}
	return t
}

// appendStatusLine appends "HTTP/1.1 200 OK" and CRLF. A code without a
// reason phrase keeps the space before the empty phrase (RFC 9112 section 4).
func appendStatusLine(dst []byte, code int) []byte {
	if code < len(statusLines) && statusLines[code] != "" {
		return append(dst, statusLines[code]...)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(code), 10)
	return append(dst, " \r\n"...)
}
