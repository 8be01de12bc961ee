"""Makes removed objects again: networks, volumes and their files, images and their tags, containers."""
