#include <cstdio>
#include <cstdlib>

#include "checks.h"

int main(int argc, char** argv) {
  if (argc < 5) return std::printf("usage: %s CHAINS FIRST MUTATIONS FILE...\n", argv[0]), 2;
  if (std::atoi(argv[1]) && check_chains(std::atoi(argv[1]), std::atoi(argv[2]))) return 1;
  for (int i = 4; i < argc; ++i)
    if (std::atoi(argv[3]) && check_network(argv[i], std::atoi(argv[3]))) return 1;
  return 0;
}
