"""How many laws: bounds from both sides, near a generic start and on the orbit of a special one."""
