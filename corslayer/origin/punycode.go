package origin

import (
	"math"
	"strings"
	"unicode"
)

// punycodeLabel returns a label in lower case and, where it is not ASCII, in
// the form that browsers send (RFC 3492, RFC 5890 §2.3.2.1). It is for the
// text of a fix only, so it stands aside where the mapping of UTS 46 would be
// more than lower case: combining marks, and symbols that are no letters.
func punycodeLabel(label string) (string, bool) {
	var runes []rune
	ascii := true
	for _, r := range strings.ToLower(label) {
		ascii = ascii && r < 0x80
		if r >= 0x80 && !unicode.IsLetter(r) {
			return "", false
		}
		runes = append(runes, r)
	}
	if ascii {
		return string(runes), true
	}
	return "xn--" + encodePunycode(runes), true
}

// The parameters of RFC 3492 §5.
const (
	punyBase, punyTMin, punyTMax = 36, 1, 26
	punySkew, punyDamp           = 38, 700
)

// encodePunycode is the encoding procedure of RFC 3492 §6.3. Labels are short
// (maxPattern), so nothing can overflow.
func encodePunycode(in []rune) string {
	var out []byte
	for _, r := range in {
		if r < 0x80 {
			out = append(out, byte(r))
		}
	}
	basic := len(out)
	if basic > 0 {
		out = append(out, '-')
	}
	n, delta, bias := rune(0x80), 0, 72
	for done := basic; done < len(in); n++ {
		next := rune(math.MaxInt32)
		for _, r := range in {
			if r >= n && r < next {
				next = r
			}
		}
		delta += int(next-n) * (done + 1)
		n = next
		for _, r := range in {
			if r < n {
				delta++
			}
			if r != n {
				continue
			}
			out = appendPunyNumber(out, delta, bias)
			bias = punyAdapt(delta, done+1, done == basic)
			delta = 0
			done++
		}
		delta++
	}
	return string(out)
}

func appendPunyNumber(out []byte, q, bias int) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz0123456789"
	for k := punyBase; ; k += punyBase {
		t := min(max(k-bias, punyTMin), punyTMax)
		if q < t {
			return append(out, digits[q])
		}
		out = append(out, digits[t+(q-t)%(punyBase-t)])
		q = (q - t) / (punyBase - t)
	}
}

// punyAdapt is the bias adaptation of RFC 3492 §6.1.
func punyAdapt(delta, points int, first bool) int {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for delta > (punyBase-punyTMin)*punyTMax/2 {
		delta /= punyBase - punyTMin
		k += punyBase
	}
	return k + (punyBase-punyTMin+1)*delta/(delta+punySkew)
}
