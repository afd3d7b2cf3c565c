"""Constants and minimax polynomials of `vecmath`; each pair is (for float32, for float64).

The polynomials come from a Remez exchange in 200 bits. Their coefficients were then rounded one
after the other, with the rest fitted again each time. Lowest degree first.
"""

MANTISSA_BITS = (23, 52)
ROUNDER = (1.5 * 2.0**23, 1.5 * 2.0**52)  # x + this - this rounds x to an integer
PER_LN2 = (1.4426950408889634, 1.4426950408889634)
# ln 2 rounded to 2**-15 and 2**-41, so that its products with all exponents are exact; the rest
LN2_HIGH = (0.693145751953125, 0.6931471805601177)
LN2_LOW = (1.428606765330187e-06, -1.7239444525614835e-13)
SQRT_HALF = 0.7071067811865476
EXP_UNDERFLOW = (-104.0, -746.0)  # at and below, exp is 0
EXP_FLOOR = (
    -174.0,
    -1416.0,
)  # below, e**x is no product of two normal numbers
EXP_OVERFLOW = (89.0, 710.0)  # at and above, exp is infinite
SIGMOID_IS_ONE = (20.0, 40.0)  # above, sigmoid rounds to 1
TINY = (2.0**-25, 2.0**-54)  # below, expm1(x) and log1p(x) round to x

# (exp(r) - 1 - r) / r**2 on |r| <= ln(2)/2: error of expm1(r) 2**-31.1, 2**-61.6; degree 5, 10
EXP = (
    (
        0.5,
        0.1666666567325592,
        0.04166649281978607,
        0.008333543315529823,
        0.001393233658745885,
        0.00019764629541896284,
    ),
    (
        0.5,
        0.16666666666666677,
        0.041666666666666685,
        0.008333333333321771,
        0.001388888888889184,
        0.0001984126988543116,
        2.4801587285700856e-05,
        2.7557245047020163e-06,
        2.7557321645840056e-07,
        2.510872747073443e-08,
        2.089691505460297e-09,
    ),
)
# (log1p(f) - f) / f**2 on [sqrt(1/2) - 1, sqrt(2) - 1]: error of log1p(f) 2**-27.8; degree 8
LOG1P = (
    -0.49999988079071045,
    0.33333325386047363,
    -0.2500160038471222,
    0.20001959800720215,
    -0.1660870909690857,
    0.14182299375534058,
    -0.13246510922908783,
    0.12901365756988525,
    -0.07608701288700104,
)
# (2 atanh(s) - 2 s) / s**3 in s**2, s = f / (2 + f) for the same f: error of atanh(s) 2**-59.5;
# degree 6
ATANH = (
    0.6666666666666734,
    0.39999999999416846,
    0.2857142874196342,
    0.22222198612044475,
    0.18183562519070343,
    0.1531409179753076,
    0.14795583761343503,
)
