"""Systems of the literature, as texts: a benchmark for whatever looks for conserved quantities."""

from __future__ import annotations

from typing import NamedTuple


class KnownSystem(NamedTuple):
    """A system of equations and where it comes from; ``degree`` up to which its polynomial laws are looked for."""

    name: str
    source: str
    degree: int
    text: str


KNOWN = (
    KnownSystem("oscillator", "harmonic oscillator", 4, "x' = y; y' = -x"),
    KnownSystem("oscillators", "two oscillators, frequencies 1 and 2", 4, "x' = p; p' = -x; y' = q; q' = -4*y"),
    KnownSystem("duffing", "G. Duffing (1918), without damping", 4, "x' = y; y' = x - x^3"),
    KnownSystem("damped", "oscillator with friction", 4, "x' = y; y' = -x - y"),
    KnownSystem("van-der-pol", "B. van der Pol (1926)", 4, "x' = y; y' = (1 - x^2)*y - x"),
    KnownSystem("lotka-volterra", "A. J. Lotka (1920), V. Volterra (1926)", 4, "x' = x - x*y; y' = x*y - y"),
    KnownSystem("may-leonard", "R. M. May, W. J. Leonard (1975), a + b = 2", 3,
                "x' = x*(1 - x - y/2 - 3/2*z); y' = y*(1 - 3/2*x - y - z/2); z' = z*(1 - x/2 - 3/2*y - z)"),
    KnownSystem("volterra-chain", "V. Volterra (1931); M. Kac, P. van Moerbeke (1975): periodic, five species", 3,
                "a' = a*(b - e); b' = b*(c - a); c' = c*(d - b); d' = d*(e - c); e' = e*(a - d)"),
    KnownSystem("sir", "W. O. Kermack, A. G. McKendrick (1927)", 3, "S' = -2*S*I; I' = 2*S*I - 3*I; R' = 3*I"),
    KnownSystem("michaelis-menten", "L. Michaelis, M. L. Menten (1913)", 3,
                "S' = -S*E + C; E' = -S*E + 3*C; C' = S*E - 3*C; P' = 2*C"),
    KnownSystem("brusselator", "I. Prigogine, R. Lefever (1968)", 4, "x' = 1 + x^2*y - 4*x; y' = 3*x - x^2*y"),
    KnownSystem("oregonator", "R. J. Field, R. M. Noyes (1974), scaled", 3,
                "x' = 8*(y - x*y + x - x^2/100); y' = 1/8*(-y - x*y + z); z' = x - z"),
    KnownSystem("lorenz", "E. N. Lorenz (1963)", 4, "x' = 10*(y - x); y' = x*(28 - z) - y; z' = x*y - 8/3*z"),
    KnownSystem("rossler", "O. E. Roessler (1976)", 4, "x' = -y - z; y' = x + y/5; z' = 1/5 + z*(x - 57/10)"),
    KnownSystem("chen", "G. Chen, T. Ueta (1999)", 4, "x' = 35*(y - x); y' = -7*x - x*z + 28*y; z' = x*y - 3*z"),
    KnownSystem("nose-hoover", "W. G. Hoover (1985)", 4, "x' = y; y' = -x - y*z; z' = y^2 - 1"),
    KnownSystem("henon-heiles", "M. Henon, C. Heiles (1964)", 4,
                "x' = p; y' = q; p' = -x - 2*x*y; q' = -y - x^2 + y^2"),
    KnownSystem("henon-heiles-integrable", "the case 1 : 6 (KdV) of Henon and Heiles", 4,
                "x' = p; y' = q; p' = -2*x*y; q' = -x^2 - 6*y^2"),
    KnownSystem("yang-mills", "S. G. Matinyan, G. K. Savvidi (1981)", 4, "x' = p; y' = q; p' = -x*y^2; q' = -x^2*y"),
    KnownSystem("euler-top", "L. Euler (1758)", 4, "a' = b*c; b' = -2*c*a; c' = a*b"),
    KnownSystem("lagrange-top", "J.-L. Lagrange (1788)", 2,
                "m1' = -m2*m3 - g2; m2' = m1*m3 + g1; m3' = 0\n"
                "g1' = 2*m3*g2 - m2*g3; g2' = m1*g3 - 2*m3*g1; g3' = m2*g1 - m1*g2"),
    KnownSystem("kowalevski-top", "S. Kowalevski (1889)", 4,
                "m1' = m2*m3; m2' = -m1*m3 - g3; m3' = g2\n"
                "g1' = 2*m3*g2 - m2*g3; g2' = m1*g3 - 2*m3*g1; g3' = m2*g1 - m1*g2"),
    KnownSystem("kepler", "J. Kepler (1609), rho = 1/r a variable", 3,
                "x' = p; y' = q; p' = -x*w^3; q' = -y*w^3; w' = -w^3*(x*p + y*q)"),
    KnownSystem("toda", "M. Toda (1967), H. Flaschka (1974): three particles", 3,
                "a' = a*(q - p); b' = b*(r - q); p' = 2*a^2; q' = 2*b^2 - 2*a^2; r' = -2*b^2"),
    KnownSystem("pendulum", "(cos, sin, rate)", 4, "c' = -s*w; s' = c*w; w' = -s"),
    KnownSystem("spiral", "focus of the plane", 3, "x' = x - y; y' = x + y"),
    KnownSystem("node", "degenerate node", 3, "x' = x; y' = x + y"),
    KnownSystem("nambu", "Y. Nambu (1973)", 2, "x' = y - z; y' = z - x; z' = x - y"),
    KnownSystem("halphen", "G. Halphen (1881)", 4, "x' = y*z - x*y - x*z; y' = z*x - y*z - y*x; z' = x*y - z*x - z*y"),
    KnownSystem("jouanolou", "J.-P. Jouanolou (1979)", 4, "x' = y^2; y' = z^2; z' = x^2"),
)  # fmt: skip
