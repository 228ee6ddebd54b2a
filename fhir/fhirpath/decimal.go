package fhirpath

import (
	"math/big"
	"strconv"
	"strings"
)

// decimal is a number kept exactly: coef * 10^-scale.
type decimal struct {
	coef  *big.Int
	scale int // 0 or more
}

// Bounds that keep arithmetic cheap. FHIRPath asks for 28 digits and steps of 10^-8.
const (
	maxDigits     = 64
	divisionScale = 8 // decimal places that a division keeps beyond those of its operands
)

// parseDecimal reads a number as JSON, FHIRPath or an XML decimal write it. It refuses what is over maxDigits.
func parseDecimal(s string) (decimal, bool) {
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		v, err := strconv.Atoi(s[i+1:])
		if err != nil || v > maxDigits || v < -maxDigits {
			return decimal{}, false
		}
		mantissa, exponent = s[:i], v
	}
	whole, part, dotted := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole, "+-")
	if len(whole)-len(digits) > 1 || digits == "" || dotted && part == "" || len(digits)+len(part) > maxDigits {
		return decimal{}, false
	}
	if span(digits, isDigit) != len(digits) || span(part, isDigit) != len(part) {
		return decimal{}, false
	}
	coef, ok := new(big.Int).SetString(strings.TrimPrefix(whole, "+")+part, 10)
	if !ok {
		return decimal{}, false
	}
	d := decimal{coef, len(part) - exponent}
	if d.scale < 0 {
		d = decimal{d.coef.Mul(d.coef, pow10(-d.scale)), 0}
	}
	return d, true
}

// wholeNumber reads an Integer, which FHIRPath limits to 32 bits.
func wholeNumber(s string) (int, bool) {
	v, err := strconv.ParseInt(s, 10, 32)
	return int(v), err == nil
}

func whole(v int) decimal { return decimal{big.NewInt(int64(v)), 0} }

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// fits reports whether the number is within the bounds that arithmetic may reach.
func (d decimal) fits() bool { return d.coef.BitLen() <= 4*maxDigits && d.scale <= 2*maxDigits }

func (d decimal) rescale(scale int) *big.Int {
	if scale == d.scale {
		return d.coef
	}
	return new(big.Int).Mul(d.coef, pow10(scale-d.scale))
}

func align(a, b decimal) (x, y *big.Int, scale int) {
	scale = max(a.scale, b.scale)
	return a.rescale(scale), b.rescale(scale), scale
}

func (d decimal) cmp(o decimal) int {
	x, y, _ := align(d, o)
	return x.Cmp(y)
}

func (d decimal) add(o decimal) decimal {
	x, y, scale := align(d, o)
	return decimal{new(big.Int).Add(x, y), scale}
}

func (d decimal) neg() decimal { return decimal{new(big.Int).Neg(d.coef), d.scale} }

func (d decimal) mul(o decimal) decimal {
	return decimal{new(big.Int).Mul(d.coef, o.coef), d.scale + o.scale}
}

// quotient divides, rounded half away from zero after divisionScale places more than its operands have; false for a division by zero.
func (d decimal) quotient(o decimal) (decimal, bool) {
	if o.coef.Sign() == 0 {
		return decimal{}, false
	}
	x, y, scale := align(d, o)
	num := new(big.Int).Mul(x, pow10(scale+divisionScale))
	return decimal{divRound(num, y), scale + divisionScale}.trim(), true
}

// divMod divides towards zero; the remainder has the sign of the dividend.
func (d decimal) divMod(o decimal) (q, r decimal, ok bool) {
	if o.coef.Sign() == 0 {
		return decimal{}, decimal{}, false
	}
	x, y, scale := align(d, o)
	quo, rem := new(big.Int).QuoRem(x, y, new(big.Int))
	return decimal{quo, 0}, decimal{rem, scale}.trim(), true
}

// divRound divides and rounds half away from zero.
func divRound(num, den *big.Int) *big.Int {
	quo, rem := new(big.Int).QuoRem(num, den, new(big.Int))
	if rem.Lsh(rem.Abs(rem), 1).CmpAbs(den) >= 0 {
		quo.Add(quo, big.NewInt(int64(num.Sign()*den.Sign())))
	}
	return quo
}

// round keeps that many decimal places, half away from zero.
func (d decimal) round(places int) decimal {
	if places >= d.scale {
		return d
	}
	return decimal{divRound(d.coef, pow10(d.scale-places)), places}
}

// truncate drops the fraction; floor and ceiling go to the next whole number below and above.
func (d decimal) truncate() decimal {
	return decimal{new(big.Int).Quo(d.coef, pow10(d.scale)), 0}
}

func (d decimal) floor() decimal {
	t := d.truncate()
	if d.coef.Sign() < 0 && t.cmp(d) != 0 {
		t.coef.Sub(t.coef, big.NewInt(1))
	}
	return t
}

func (d decimal) ceiling() decimal { return d.neg().floor().neg() }

// trim drops zeros at the end of the fraction.
func (d decimal) trim() decimal {
	ten, rem, quo := big.NewInt(10), new(big.Int), new(big.Int)
	for d.scale > 0 {
		if quo.QuoRem(d.coef, ten, rem); rem.Sign() != 0 {
			break
		}
		d = decimal{new(big.Int).Set(quo), d.scale - 1}
	}
	return d
}

// significant returns how many decimal places the number has without zeros at its end.
func (d decimal) significant() int { return d.trim().scale }

// String writes the number with its decimal places.
func (d decimal) String() string {
	text := new(big.Int).Abs(d.coef).String()
	if d.scale > 0 {
		if pad := d.scale + 1 - len(text); pad > 0 {
			text = strings.Repeat("0", pad) + text
		}
		text = text[:len(text)-d.scale] + "." + text[len(text)-d.scale:]
	}
	if d.coef.Sign() < 0 {
		text = "-" + text
	}
	return text
}
