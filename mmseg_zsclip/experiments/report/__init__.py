"""`zsclip report`: the toy world, a method without training, one with, and a page about both."""
