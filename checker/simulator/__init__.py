"""How long drops would wait and what the fleet would cost, under one scaling policy or another."""
