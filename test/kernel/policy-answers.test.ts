/** Answers of name servers, told of by the kernel. What a node sends itself is a test of test/e2e/policy-names.test.ts. */
import { answersContract } from './policy-answers.ts';

answersContract('routed');
answersContract('bridged');
