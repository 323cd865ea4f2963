"""The checker that the import hook in conftest.py applies to every function of the package."""

from beartype import BeartypeConf, beartype

# An int passes where a float is annotated, as PEP 484 has it and mypy holds.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
