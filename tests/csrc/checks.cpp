#include <cstdio>
#include <cstdlib>

#include "checks.h"

int main(int argc, char** argv) {
  if (argc != 5) return std::printf("usage: %s CHAINS FIRST DETECTOR MUTATIONS\n", argv[0]), 2;
  if (std::atoi(argv[1]) && check_chains(std::atoi(argv[1]), std::atoi(argv[2]))) return 1;
  return std::atoi(argv[4]) ? check_detectors(argv[3], std::atoi(argv[4])) : 0;
}
