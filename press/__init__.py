"""Content to output: a Pelican plugin, and the build around it that fails loudly and never links half a site.

The only package that imports Pelican, and so under its licence (AGPL-3.0, see LICENSE).
"""
