"""A network to try the product with: five Moroccan labs, their machines, people and two months of work."""
