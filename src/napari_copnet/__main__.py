"""`python -m napari_copnet` is `copnet`."""

from napari_copnet.cli import main

main()
