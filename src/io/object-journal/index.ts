export { type JournalContent, ObjectJournal } from './journal.ts';
