"""The texts of findings, in English and Korean, by what they are about."""
