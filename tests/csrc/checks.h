// The checks of one program: each says what it found, and returns 0 or 1.
#pragma once

int check_chains(int count, int first);               // as many random chains, from a number on
int check_network(const char* path, int mutations);  // a packed network, and as many mutations of its file
