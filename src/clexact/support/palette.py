"""The colours of all figures: Okabe and Ito's, told apart by colour-blind readers, in an order of falling contrast."""

BLUE, ORANGE, GREEN, PINK, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "0.55"
